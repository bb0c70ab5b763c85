"""Menus as a person gives them: what is taken, and what is said of what is not."""

import pytest
from pydantic import TypeAdapter, ValidationError

from dialer.campaign.menu import MOST_DEPTH, Gather, menus, prompts_of
from dialer.campaign.settings import OnAnswer
from dialer.conversation.menu import Menu

ASK = {"file": "ask.wav"}


def gather(**changes):
    return {"kind": "gather", "name": "main", "prompt": ASK, "branches": {"1": {}}} | changes


def below(name, **changes):
    menu = gather(name=name, **changes)
    del menu["kind"]
    return menu


def said(**changes):
    with pytest.raises(ValidationError) as caught:
        Gather.model_validate(gather(**changes))
    (error,) = caught.value.errors()
    return error["msg"]


def test_a_menu_is_something_to_do_on_answer_and_what_is_stored_is_what_the_call_reads():
    deep = below("size", branches={"XX": {"set": {"sized": True}}}, digits=2)
    branches = {"1": {"set": {"n": 1}, "menu": deep}, "9": {"opt_out": True, "prompt": ASK}}
    given = TypeAdapter(OnAnswer).validate_python(gather(branches=branches))
    assert isinstance(given, Gather)
    read = Menu.of(given.model_dump())
    assert read.branches["9"].opt_out
    assert read.branches["1"].fields == {"n": 1}
    assert read.branches["1"].menu.branches["XX"].fields == {"sized": True}
    assert read.branches["1"].menu.digits == 2


def test_what_cannot_be_is_refused_in_a_sentence():
    assert "wants 2 keys, and digits is 1" in said(branches={"12": {}})
    assert "# ends what is keyed in" in said(branches={"1#": {}}, digits=2)
    assert "give one of menu and again" in said(
        branches={"1": {"again": True, "menu": below("other")}}
    )
    assert "give more retries" in said(otherwise={"again": True})
    assert "two menus are named 'main'" in said(branches={"1": {"menu": below("main")}})
    assert "at least 1 item" in said(branches={})
    assert "match pattern" in said(branches={"x": {}})


def test_menus_are_nested_no_deeper_than_people_can_follow():
    menu = below("last")
    for depth in range(MOST_DEPTH - 1):
        menu = below(f"menu {depth}", branches={"1": {"menu": menu}})
    assert len(list(menus(Gather.model_validate({"kind": "gather"} | menu)))) == MOST_DEPTH
    assert f"more than {MOST_DEPTH} deep" in said(branches={"1": {"menu": menu}})


def test_every_prompt_is_found_with_its_place():
    deep = below("deep", retry_prompt={"file": "again.wav"})
    given = Gather.model_validate(
        gather(
            branches={"1": {"prompt": {"file": "one.wav"}, "menu": deep}},
            otherwise={"prompt": {"file": "bye.wav"}},
        )
    )
    assert {where: prompt.file for where, prompt in prompts_of(given)} == {
        "/prompt": "ask.wav",
        "/branches/1/prompt": "one.wav",
        "/branches/1/menu/prompt": "ask.wav",
        "/branches/1/menu/retry_prompt": "again.wav",
        "/otherwise/prompt": "bye.wav",
    }
