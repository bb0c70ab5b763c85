"""Metrics: what is counted, under which names."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from dialer.metrics import Metrics


def test_names_and_help():
    metrics = Metrics()
    families = {
        family.name: family for family in text_string_to_metric_families(metrics.text().decode())
    }
    ours = {
        name for name in families if name.startswith("dialer_") and not name.endswith("_created")
    }
    assert ours >= {
        "dialer_attempts",
        "dialer_calls",
        "dialer_failovers",
        "dialer_alarms",
        "dialer_active_calls",
        "dialer_trunk_up",
        "dialer_invite_to_first_provisional_seconds",
        "dialer_sip_messages",
        "dialer_rtp_late_frames",
        "dialer_engine_loop_lag_seconds",
        "dialer_store_errors",
        "dialer_webhook_attempts",
        "dialer_webhook_seconds",
        "dialer_webhooks_in_flight",
        "dialer_webhooks_pending",
        "dialer_webhooks_dead",
        "dialer_webhooks_oldest_pending_seconds",
        "dialer_webhooks_unread_event_seconds",
        "dialer_webhook_circuits_open",
        "dialer_api_requests",
        "dialer_api_request_seconds",
        "dialer_api_refused_connections",
    }
    assert all(family.documentation for family in families.values())
    assert "process_resident_memory_bytes" in families


def test_each_object_counts_for_itself():
    one, other = Metrics(), Metrics()
    one.calls.labels("busy", "retry_scheduled").inc()
    labels = {"outcome": "busy", "status": "retry_scheduled"}
    assert one.registry.get_sample_value("dialer_calls_total", labels) == 1
    assert other.registry.get_sample_value("dialer_calls_total", labels) is None


def test_sip_messages_have_few_labels():
    metrics = Metrics()
    metrics.sip_message("sent", "INVITE", None)
    metrics.sip_message("received", "INVITE", 486)
    metrics.sip_message("received", "INVITE", 401)
    for number in range(100):
        metrics.sip_message("received", f"X{number}", None)

    def value(direction, method, code_class):
        return metrics.registry.get_sample_value(
            "dialer_sip_messages_total",
            {"direction": direction, "method": method, "code_class": code_class},
        )

    assert value("sent", "INVITE", "request") == 1
    assert value("received", "INVITE", "4xx") == 2
    assert value("received", "other", "request") == 100


async def test_api_counts_by_route_and_not_by_path(bare_api):
    for path in ("/v1/campaigns/x", "/v1/campaigns/y", "/nothing", "/nothing/else"):
        await bare_api("GET", path, 404)
    await bare_api("GET", "/healthz")
    async with bare_api.client.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(await response.text())
        found = {
            (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
            for family in families
            if family.name == "dialer_api_requests"
            for sample in family.samples
            if sample.name.endswith("_total")
        }
    assert found == {
        ("GET", "/v1/campaigns/{id}", "404"): 2,
        ("GET", "none", "404"): 2,
        ("GET", "/healthz", "200"): 1,
    }
