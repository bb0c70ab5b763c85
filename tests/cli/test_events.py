"""The command that follows what happens, as a process of its own."""

from __future__ import annotations

import json
import signal

from tests.api.conftest import served
from tests.cli.test_processes import started

from dialer.store import events

WRITE = "INSERT INTO events (account_id, kind, data) VALUES (1, $1, $2)"


async def test_events_are_written_as_lines_of_json_until_it_is_interrupted(pool):
    after = (await events.newest(pool))[0] - 1
    async with served(pool) as api:
        process = await started(
            "events", "--kind", "call.", "--after", f"{after}-0",
            "--api", f"http://{api.host}:{api.port}",
        )  # fmt: skip
        for number, kind in enumerate(("call.answered", "campaign.paused", "call.not_dialed")):
            await pool.execute(WRITE, kind, {"number": number})
        told = [json.loads(await process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert [one["kind"] for one in told] == ["call.answered", "call.not_dialed"]
    assert [one["data"] for one in told] == [{"number": 0}, {"number": 2}]
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
