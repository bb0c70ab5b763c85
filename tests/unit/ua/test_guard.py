import structlog

from dialer.ua.guard import guarded


def test_what_a_callback_raises_is_one_line_in_the_log():
    def fail(text):
        raise RuntimeError(text)

    with structlog.testing.capture_logs() as logs:
        guarded(fail, "a fault of ours")
    (entry,) = logs
    assert entry["fault"] == "RuntimeError('a fault of ours')"
    assert "test_guard.py:" in entry["at"]


def test_a_callback_without_fault_is_simply_called():
    heard = []
    with structlog.testing.capture_logs() as logs:
        guarded(heard.append, 1)
    assert (heard, logs) == ([1], [])
