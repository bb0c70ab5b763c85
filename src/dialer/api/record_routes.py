"""The part of the route table that is about call records: reports, totals, what follows."""

from __future__ import annotations

from dialer.api import persons, repeats, report, report_models, totals
from dialer.api.route import Route
from dialer.campaign.role import Role

JSON = "application/json"
NO_CAMPAIGN = {404: "There is no such campaign"}
FORMATS = (
    ("csv", "Csv", report.csv, "text/csv", "CSV"),
    ("xlsx", "Xlsx", report.xlsx, report.XLSX, "an XLSX workbook"),
    ("jsonl", "JsonLines", report.jsonl, "application/jsonl", "JSON lines"),
)

RECORD_ROUTES = (
    *(
        Route(
            "GET",
            f"/v1/campaigns/{{id}}/report.{suffix}",
            "getReport" if suffix == "csv" else f"getReport{name}",
            handler,
            f"Read the calls or attempts of a campaign, also of a deleted one, as {words}",
            content_type,
            query=report_models.ReportQuery,
            refusals=NO_CAMPAIGN,
            role=Role.VIEWER,
        )
        for suffix, name, handler, content_type, words in FORMATS
    ),
    *(
        Route(
            "GET",
            f"/v1/dialogs/report.{suffix}",
            f"getDialogsReport{name}",
            handler,
            f"Read the calls or attempts of all campaigns as {words}, of deleted ones too",
            content_type,
            query=report_models.ReportQuery,
            role=Role.VIEWER,
        )
        for suffix, name, handler, content_type, words in FORMATS
    ),
    Route(
        "GET",
        "/v1/campaigns/{id}/totals",
        "getTotals",
        totals.read,
        "Read a campaign's figures: by status, outcome, hour and trunk, talk time, abandoned calls",
        report_models.Totals,
        refusals=NO_CAMPAIGN,
        role=Role.VIEWER,
    ),
    Route(
        "POST",
        "/v1/campaigns/{id}/requeue",
        "requeueCalls",
        repeats.requeue,
        "Plan calls of chosen final statuses anew, due now; never answered ones",
        report_models.Requeued,
        bodies={JSON: report_models.REQUEUE},
        refusals={**NO_CAMPAIGN, 409: "The campaign is finished"},
        role=Role.OPERATOR,
        in_steps=True,
    ),
    Route(
        "POST",
        "/v1/campaigns/{id}/clone",
        "cloneCampaign",
        repeats.clone,
        "Make a new draft with the settings of a campaign, with or without its numbers",
        report_models.ClonedCampaign,
        status=201,
        bodies={JSON: report_models.CLONE},
        refusals=NO_CAMPAIGN,
        role=Role.OPERATOR,
        in_steps=True,
    ),
    Route(
        "POST",
        "/v1/persons/erase",
        "erasePerson",
        persons.erase,
        "Erase the data of the person with a number, in all campaigns; counts and statuses stay",
        report_models.ErasedPerson,
        bodies={JSON: report_models.ERASE_PERSON},
        refusals={409: "A call to the number is up; nothing was changed"},
        role=Role.ADMIN,
    ),
)
