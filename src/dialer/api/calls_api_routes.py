"""The part of the route table that is the Calls API, whose token stands in the path."""

from __future__ import annotations

from dialer.api import calls_api, calls_api_models
from dialer.api.calls_api import PATH
from dialer.api.route import Route
from dialer.campaign.role import Role

JSON = "application/json"
TOKEN_PATH = "/v1/campaigns/{id}/calls-api-token"  # noqa: S105 - a path, not a secret
NO_CAMPAIGN = {404: "There is no such campaign"}
REFUSED = {404: "No campaign has this token", 409: "The campaign's status does not allow it"}

CALLS_API_ROUTES = (
    Route(
        "POST",
        TOKEN_PATH,
        "makeCallsApiToken",
        calls_api.make_token,
        "Make the token by which the Calls API reaches a campaign, in place of the one before",
        calls_api_models.MadeCallsToken,
        status=201,
        refusals=NO_CAMPAIGN,
        role=Role.OPERATOR,
    ),
    Route(
        "DELETE",
        TOKEN_PATH,
        "revokeCallsApiToken",
        calls_api.revoke_token,
        "Let a campaign's token of the Calls API work no more",
        None,
        status=204,
        refusals=NO_CAMPAIGN,
        role=Role.OPERATOR,
    ),
    Route(
        "POST",
        f"{PATH}/addPhones",
        "addPhones",
        calls_api.add_phones,
        "Calls API: add numbers, all or none",
        calls_api_models.JobIds,
        bodies={JSON: calls_api_models.ADD_PHONES},
        refusals=REFUSED,
        role=None,
    ),
    Route(
        "POST",
        f"{PATH}/callJob/cancel",
        "cancelCallJobs",
        calls_api.cancel,
        "Calls API: cancel call jobs",
        calls_api_models.JobIds,
        bodies={JSON: calls_api_models.JOBS},
        refusals=REFUSED,
        role=None,
    ),
    *(
        Route(
            "POST",
            f"{PATH}/control/{word}",
            f"{word}CallsApiCampaign",
            handler,
            f"Calls API: {word} the campaign",
            calls_api_models.CampaignInformation,
            refusals=REFUSED,
            role=None,
            in_steps=word == "stop",
        )
        for word, handler in (
            ("pause", calls_api.pause),
            ("resume", calls_api.resume),
            ("stop", calls_api.stop),
        )
    ),
    Route(
        "GET",
        PATH,
        "getCallsApiCampaign",
        calls_api.information,
        "Calls API: read the campaign, with its figures",
        calls_api_models.CampaignInformation,
        refusals=REFUSED,
        role=None,
    ),
    Route(
        "GET",
        f"{PATH}/status",
        "getCallsApiStatus",
        calls_api.status,
        "Calls API: read the campaign's status alone",
        calls_api_models.Status,
        refusals=REFUSED,
        role=None,
    ),
    *(
        Route(
            "POST",
            f"{PATH}/{what}/getReport",
            f"{what}Report",
            handler,
            f"Calls API: {words}",
            calls_api_models.JobReports,
            bodies={JSON: calls_api_models.JOBS},
            refusals=REFUSED,
            role=None,
            audited=False,
        )
        for what, handler, words in (
            ("callJob", calls_api.job_report, "report call jobs, each with its latest attempt"),
            ("callAttempt", calls_api.attempt_report, "report every attempt of call jobs"),
        )
    ),
)
