from __future__ import annotations

import pathlib
import runpy

import pytest

from dialer.campaign.diagram import states_page
from dialer.campaign.moves import CALL_MOVES, CAMPAIGN_MOVES
from dialer.campaign.status import CallStatus, CampaignStatus

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "states.md"


def test_the_page_is_what_the_tables_say():
    assert PAGE.read_text() == states_page(), (
        "stale: python -m dialer.campaign.diagram > docs/states.md"
    )


def test_the_page_shows_every_move():
    page = states_page()
    for (before, action), targets in [*CAMPAIGN_MOVES.items(), *CALL_MOVES.items()]:
        for after in set(targets) - {before}:
            edge = f"    {before} --> {after}: "
            assert any(
                line.startswith(edge) and action in line.removeprefix(edge).split(", ")
                for line in page.splitlines()
            ), (before, action, after)


def test_every_status_has_the_label_that_a_person_reads():
    assert [status.label for status in CampaignStatus] == [
        "Draft",
        "Planned",
        "In progress",
        "Paused",
        "Finished",
    ]
    assert [status.label for status in CallStatus] == [
        "Planned",
        "In progress",
        "Another call attempt scheduled",
        "Answered",
        "Completed without answer",
        "Finished with a technical error",
        "Not dialed",
        "Plan limit exceeded",
    ]
    assert [status for status in CallStatus if not status.final] == [
        "planned",
        "in_progress",
        "retry_scheduled",
    ]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_the_command_prints_the_page(capsys):
    runpy.run_module("dialer.campaign.diagram", run_name="__main__")
    assert capsys.readouterr().out == states_page()
