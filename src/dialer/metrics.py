"""What the service counts and measures, in Prometheus's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metrics:
    """Every counter, gauge and histogram of one process, on a registry of its own.

    One object is made at start and handed to the engine, the user agent and the API; a test makes
    its own. Labels have few values: a number, a call or a campaign is never a label.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        self.attempts = Counter(
            "dialer_attempts", "Attempts whose INVITE was sent", ["trunk"], registry=registry
        )
        self.calls = Counter(
            "dialer_calls",
            "Attempts recorded, by outcome and by the call's status after it",
            ["outcome", "status"],
            registry=registry,
        )
        self.failovers = Counter(
            "dialer_failovers",
            "Calls that went on over another trunk within their attempt, by the trunk they left",
            ["trunk"],
            registry=registry,
        )
        self.alarms = Counter(
            "dialer_alarms",
            "What a person should look at: media, bot, caller_id, busy_burst",
            ["alarm", "trunk"],
            registry=registry,
        )
        self.active_calls = Gauge(
            "dialer_active_calls", "Calls that this node holds", ["phase"], registry=registry
        )
        self.trunk_up = Gauge(
            "dialer_trunk_up",
            "1 while calls may be given to a trunk, 0 while it is down or held",
            ["trunk"],
            registry=registry,
        )
        self.campaigns = Gauge(
            "dialer_campaigns",
            "Campaigns of all accounts by status and, where paused, why; without finished ones",
            ["status", "pause_reason"],
            registry=registry,
        )
        self.ready_calls = Gauge(
            "dialer_ready_calls",
            "Calls that could be dialled now, were there room for them, of all nodes",
            registry=registry,
        )
        self.oldest_call = Gauge(
            "dialer_oldest_call_seconds",
            "Age of the oldest attempt under way, of all nodes; 0 without any",
            registry=registry,
        )
        self.event_streams = Gauge(
            "dialer_event_streams", "Streams of live events that are open", registry=registry
        )
        self.first_provisional = Histogram(
            "dialer_invite_to_first_provisional_seconds",
            "Time from the INVITE to its first provisional response",
            ["trunk"],
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32),
            registry=registry,
        )
        self.sip_messages = Counter(
            "dialer_sip_messages",
            "SIP messages; code_class is 1xx to 6xx, or request",
            ["direction", "method", "code_class"],
            registry=registry,
        )
        self.rtp_late_frames = Counter(
            "dialer_rtp_late_frames",
            "RTP frames that left more than one frame after they were due",
            registry=registry,
        )
        self.media_mos = Histogram(
            "dialer_call_mos",
            "Mean opinion score of answered calls, estimated: heard by us, or by the far end",
            ["trunk", "heard_by"],
            buckets=(1.5, 2, 2.5, 3, 3.3, 3.6, 3.8, 4, 4.2, 4.3, 4.5),
            registry=registry,
        )
        self.media_loss = Histogram(
            "dialer_call_rtp_loss_percent",
            "RTP packets of answered calls that were lost on their way to us, or to the far end",
            ["trunk", "heard_by"],
            buckets=(0, 0.1, 0.5, 1, 2, 3, 5, 10, 20, 50, 100),
            registry=registry,
        )
        self.engine_loop_lag = Gauge(
            "dialer_engine_loop_lag_seconds",
            "How late the event loop ran the engine's last turn",
            registry=registry,
        )
        self.store_errors = Counter(
            "dialer_store_errors",
            "Statements that Postgres did not run",
            ["part"],
            registry=registry,
        )
        self.recordings = Counter(
            "dialer_recordings",
            "Recordings: stored, failed (to be stored), deleted, not_deleted (tried again)",
            ["result"],
            registry=registry,
        )
        self.recording_bytes = Counter(
            "dialer_recording_bytes",
            "Bytes of recordings, in clear: stored, deleted",
            ["result"],
            registry=registry,
        )
        self.webhook_attempts = Counter(
            "dialer_webhook_attempts",
            "Webhooks sent, by what came of it: delivered, failed (tried again), dead; or expired",
            ["result"],
            registry=registry,
        )
        self.webhook_seconds = Histogram(
            "dialer_webhook_seconds",
            "Time until a receiver answered, or did not",
            registry=registry,
        )
        self.webhooks_in_flight = Gauge(
            "dialer_webhooks_in_flight", "Webhooks that this node sends now", registry=registry
        )
        self.webhooks_pending = Gauge(
            "dialer_webhooks_pending", "Webhooks not delivered yet, of all nodes", registry=registry
        )
        self.webhooks_dead = Gauge(
            "dialer_webhooks_dead", "Webhooks given up, as long as they are kept", registry=registry
        )
        self.webhooks_oldest = Gauge(
            "dialer_webhooks_oldest_pending_seconds",
            "Age of the oldest webhook not delivered yet",
            registry=registry,
        )
        self.webhooks_unread = Gauge(
            "dialer_webhooks_unread_event_seconds",
            "Age of the oldest event that was not looked at for webhooks yet",
            registry=registry,
        )
        self.webhook_circuits_open = Gauge(
            "dialer_webhook_circuits_open",
            "Receivers that are left alone for a while because they take nothing",
            registry=registry,
        )
        self.api_requests = Counter(
            "dialer_api_requests",
            "HTTP requests",
            ["method", "route", "status"],
            registry=registry,
        )
        self.api_refused = Counter(
            "dialer_api_refused_connections",
            "HTTP connections that were one too many",
            registry=registry,
        )
        self.api_seconds = Histogram(
            "dialer_api_request_seconds",
            "Time to answer an HTTP request",
            ["route"],
            registry=registry,
        )

    def sip_message(self, direction: str, method: str, code: int | None) -> None:
        """Count a message; `direction` is sent or received, `method` that of its CSeq.

        A method that is not SIP's own counts as "other", so that a peer cannot make labels.
        """
        self.sip_messages.labels(
            direction,
            method if method in SIP_METHODS else "other",
            "request" if code is None else f"{code // 100}xx",
        ).inc()

    def call_media(self, trunk: str, figures: Mapping[str, Any] | None) -> None:
        """Take in the figures of a call that is over, as they stand in its record."""
        for heard_by, prefix in (("us", ""), ("far_end", "far_end_")):
            if figures is not None and figures[f"{prefix}mos"] is not None:
                self.media_mos.labels(trunk, heard_by).observe(figures[f"{prefix}mos"])
                loss = figures[f"{prefix}loss_percent"]
                self.media_loss.labels(trunk, heard_by).observe(loss)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


SIP_METHODS = frozenset(
    {
        "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS",
        "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE",
    }
)  # fmt: skip
