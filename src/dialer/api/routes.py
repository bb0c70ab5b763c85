"""The route table: every operation of the API, on one line of sight."""

from __future__ import annotations

from dialer.api import calls, campaigns, models, numbers, report, service, trace_models, traces
from dialer.api.route import Route

JSON = "application/json"
NO_CAMPAIGN = {404: "There is no such campaign"}
NO_CALL = {404: "There is no such call"}
REFUSED_MOVE = {
    **NO_CAMPAIGN,
    409: "The campaign's status does not allow it; `current_status` and `allowed` say what is",
}
CLOSED = {**NO_CAMPAIGN, 409: "The campaign is finished"}

ROUTES = (
    Route(
        "POST",
        "/v1/campaigns",
        "createCampaign",
        campaigns.create,
        "Create a campaign, as a draft",
        models.Campaign,
        status=201,
        bodies={JSON: models.CAMPAIGN_SETTINGS},
    ),
    Route(
        "GET",
        "/v1/campaigns",
        "listCampaigns",
        campaigns.list_page,
        "List campaigns, newest first",
        models.CampaignPage,
        query=models.CampaignQuery,
    ),
    Route(
        "GET",
        "/v1/campaigns/{id}",
        "getCampaign",
        campaigns.read,
        "Read a campaign, with its calls counted by status",
        models.CampaignWithCounts,
        refusals=NO_CAMPAIGN,
    ),
    Route(
        "PATCH",
        "/v1/campaigns/{id}",
        "changeCampaign",
        campaigns.change,
        "Change settings of a campaign; those not named stay",
        models.Campaign,
        bodies={JSON: models.CAMPAIGN_CHANGES},
        refusals=CLOSED,
    ),
    Route(
        "DELETE",
        "/v1/campaigns/{id}",
        "deleteCampaign",
        campaigns.delete,
        "Delete a campaign, finishing it first; its calls stay readable as dialogs",
        None,
        status=204,
        refusals=NO_CAMPAIGN,
    ),
    *(
        Route(
            "POST",
            f"/v1/campaigns/{{id}}/{action}",
            f"{action}Campaign",
            handler,
            summary,
            models.Campaign,
            bodies={JSON: body},
            body_required=False,
            refusals=REFUSED_MOVE,
        )
        for action, handler, summary, body in (
            (
                "start",
                campaigns.start,
                "Start a draft: at once, or at its start time",
                models.NOTHING,
            ),
            (
                "pause",
                campaigns.pause,
                "Pause: no new INVITE leaves; calls that are up run to their end",
                models.NOTHING,
            ),
            ("resume", campaigns.resume, "Go on after a pause", models.NOTHING),
            (
                "finish",
                campaigns.finish,
                "Finish for good; calls that are up run to their end, or are hung up",
                models.FINISH,
            ),
        )
    ),
    Route(
        "POST",
        "/v1/campaigns/{id}/numbers",
        "addNumbers",
        numbers.add,
        "Add numbers, as JSON or as a CSV list; what is there already is skipped and reported",
        models.AddedNumbers,
        bodies={JSON: models.NEW_NUMBERS, "text/csv": None, "multipart/form-data": None},
        refusals=CLOSED,
    ),
    Route(
        "GET",
        "/v1/campaigns/{id}/calls",
        "listCalls",
        calls.of_campaign,
        "List a campaign's calls, the last added first",
        models.CallPage,
        query=models.CallQuery,
        refusals=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/v1/campaigns/{id}/report.csv",
        "getReport",
        report.read,
        "Read every call of a campaign as CSV, in list order",
        "text/csv",
        refusals=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/v1/calls/{id}",
        "getCall",
        calls.read,
        "Read a call with its attempts, their legs and the evidence",
        models.CallWithAttempts,
        refusals=NO_CALL,
    ),
    Route(
        "GET",
        "/v1/calls/{id}/messages",
        "getCallMessages",
        traces.messages,
        "Read the SIP messages of a call, as long as they are kept",
        trace_models.CallMessages,
        refusals=NO_CALL,
    ),
    Route(
        "GET",
        "/v1/calls/{id}/capture.pcap",
        "getCallCapture",
        traces.capture,
        "Read the SIP messages and first RTP packets of a call as a capture file",
        "application/vnd.tcpdump.pcap",
        refusals=NO_CALL,
    ),
    Route(
        "GET",
        "/v1/dialogs",
        "listDialogs",
        calls.dialogs,
        "List the calls of all campaigns, of deleted ones too, the last added first",
        models.CallPage,
        query=models.CallQuery,
    ),
    Route(
        "GET",
        "/healthz",
        "isAlive",
        service.alive,
        "Whether the process lives",
        models.Health,
        public=True,
    ),
    Route(
        "GET",
        "/readyz",
        "isReady",
        service.ready,
        "Whether calls can be placed: Postgres answers, its schema is current, the engine is up",
        models.Health,
        public=True,
    ),
    Route(
        "GET",
        "/metrics",
        "readMetrics",
        service.metrics,
        "Counters and gauges in Prometheus's text format",
        "text/plain",
    ),
    Route(
        "GET",
        "/openapi.json",
        "readDocument",
        service.document,
        "This document",
        JSON,
        public=True,
    ),
)
