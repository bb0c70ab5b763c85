"""The state machine of menus: each state with each input, and what people do with telephones."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dialer.conversation.menu import (
    Branch,
    Entry,
    HangUp,
    Menu,
    MenuConversation,
    OptOut,
    Play,
    Prompt,
    State,
    Step,
    StopPlaying,
    Transfer,
    fits,
)

ASK, RETRY, BYE, BELOW = Prompt("ask"), Prompt("retry"), Prompt("bye"), Prompt("below")


def menu(branches=None, **changes):
    branches = branches or {"1": Branch(prompt=BYE)}
    defaults = {"name": "main", "prompt": ASK, "first_key_seconds": 5, "between_keys_seconds": 3}
    return Menu(branches=branches, **(defaults | changes))


def begun(asked, *, heard=False):
    """A conversation whose first prompt plays, or was heard, at the time 0."""
    talk = MenuConversation(asked)
    assert talk.begin(0) == [Play(asked.prompt)]
    if heard:
        assert talk.played(0) == []
    return talk


def in_state(state, **changes):
    """A conversation in that state, at the time 0; the menu wants two keys."""
    talk = begun(menu({"11": Branch(prompt=BYE)}, digits=2, **changes))
    if state is State.PROMPT:
        return talk
    talk.played(0)
    if state in {State.KEYS, State.BRANCH, State.OVER}:
        talk.key("1", 0)
    if state in {State.BRANCH, State.OVER}:
        talk.key("1", 0)
    if state is State.OVER:
        talk.played(0)
    assert talk.state is state
    return talk


KEY, END, PLAYED, EARLY, LATE = "key", "#", "played", "early", "late"


@pytest.mark.parametrize(
    ("state", "what", "becomes", "actions"),
    [
        (State.PROMPT, KEY, State.KEYS, [StopPlaying()]),
        (State.PROMPT, END, State.PROMPT, [StopPlaying(), Play(RETRY)]),
        (State.PROMPT, PLAYED, State.FIRST_KEY, []),
        (State.PROMPT, EARLY, State.PROMPT, []),
        (State.PROMPT, LATE, State.PROMPT, []),
        (State.FIRST_KEY, KEY, State.KEYS, []),
        (State.FIRST_KEY, END, State.PROMPT, [Play(RETRY)]),
        (State.FIRST_KEY, PLAYED, State.FIRST_KEY, []),
        (State.FIRST_KEY, EARLY, State.FIRST_KEY, []),
        (State.FIRST_KEY, LATE, State.PROMPT, [Play(RETRY)]),
        (State.KEYS, KEY, State.BRANCH, [Play(BYE)]),
        (State.KEYS, END, State.PROMPT, [Play(RETRY)]),
        (State.KEYS, PLAYED, State.KEYS, []),
        (State.KEYS, EARLY, State.KEYS, []),
        (State.KEYS, LATE, State.PROMPT, [Play(RETRY)]),
        (State.BRANCH, KEY, State.BRANCH, []),
        (State.BRANCH, END, State.BRANCH, []),
        (State.BRANCH, PLAYED, State.OVER, [HangUp()]),
        (State.BRANCH, EARLY, State.BRANCH, []),
        (State.BRANCH, LATE, State.BRANCH, []),
        (State.OVER, KEY, State.OVER, []),
        (State.OVER, END, State.OVER, []),
        (State.OVER, PLAYED, State.OVER, []),
        (State.OVER, EARLY, State.OVER, []),
        (State.OVER, LATE, State.OVER, []),
    ],
)
def test_each_state_takes_each_input(state, what, becomes, actions):
    talk = in_state(state, retry_prompt=RETRY)
    inputs = {
        KEY: lambda: talk.key("1", 1),
        END: lambda: talk.key("#", 1),
        PLAYED: lambda: talk.played(1),
        EARLY: lambda: talk.tick(2.9),
        LATE: lambda: talk.tick(5),
    }
    assert (inputs[what](), talk.state) == (actions, becomes)


def test_without_barge_in_keys_count_from_the_end_of_the_prompt_on():
    talk = begun(menu(barge_in=False))
    assert talk.key("1", 1) == []
    assert talk.state is State.PROMPT
    talk.played(2)
    assert talk.key("1", 3) == [Play(BYE)]


def test_a_silent_person_is_asked_again_as_often_as_said_and_then_the_rest_is_done():
    talk = begun(menu(retries=2, otherwise=Branch({"silent": True}, prompt=BYE)), heard=True)
    assert talk.tick(5) == [Play(ASK)]
    assert talk.deadline is None
    talk.played(10)
    assert talk.deadline == 15
    assert talk.tick(15) == [Play(ASK)]
    talk.played(20)
    assert talk.tick(25) == [Play(BYE)]
    assert talk.played(26) == [HangUp()]
    assert talk.fields == {"main": None, "silent": True}
    assert talk.steps == [Step("main", Entry.NO_KEY, "", None)] * 3


def test_a_key_that_no_branch_takes_is_invalid_and_asked_for_again():
    talk = begun(menu(retries=1, retry_prompt=RETRY), heard=True)
    assert talk.key("7", 1) == [Play(RETRY)]
    assert talk.key("1", 2) == [StopPlaying(), Play(BYE)]
    assert talk.fields == {"main": "1"}
    assert [step.entry for step in talk.steps] == [Entry.INVALID, Entry.TAKEN]


def test_several_keys_end_by_number_or_by_time_or_by_the_pound_key():
    for keys, ended in (("1234", None), ("12#", None), ("12", 4)):
        talk = begun(menu({"X.": Branch()}, digits=4), heard=True)
        done = [talk.key(key, 1) for key in keys]
        if ended is not None:
            assert talk.tick(3.9) == []
            done.append(talk.tick(ended))
        assert done[-1] == [HangUp()]
        assert talk.fields == {"main": keys.strip("#")}


def test_a_pound_key_after_the_last_of_several_keys_is_not_the_next_menus():
    below = menu({"#": Branch(), "1": Branch({"one": True})}, name="below", prompt=BELOW)
    talk = begun(menu({"XX": Branch(menu=below)}, digits=2), heard=True)
    talk.key("4", 1)
    assert talk.key("2", 1) == [Play(BELOW)]
    assert talk.key("#", 1) == []
    assert talk.key("#", 2) == [StopPlaying(), HangUp()]
    assert talk.fields == {"main": "42", "below": "#"}


def test_a_branch_sets_fields_opts_out_and_leads_to_a_menu_behind_its_prompt():
    below = menu({"2": Branch({"mood": "good"})}, name="below", prompt=BELOW)
    talk = begun(menu({"9": Branch({"a": 1}, opt_out=True, prompt=BYE, menu=below)}), heard=True)
    assert talk.key("9", 1) == [OptOut(), Play(BYE)]
    assert talk.opted_out
    assert talk.played(2) == [Play(BELOW)]
    assert talk.key("2", 3) == [StopPlaying(), HangUp()]
    assert talk.fields == {"main": "9", "a": 1, "below": "2", "mood": "good"}


def test_a_menu_that_is_asked_for_again_begins_anew():
    talk = begun(menu({"*": Branch(again=True), "1": Branch()}, retries=0), heard=True)
    for time in range(3):
        assert talk.key("*", time) == ([Play(ASK)] if time == 0 else [StopPlaying(), Play(ASK)])
    assert talk.fields == {"main": None}
    assert talk.key("1", 4) == [StopPlaying(), HangUp()]
    assert talk.fields == {"main": "1"}


@pytest.mark.parametrize(
    ("pattern", "keys", "does"),
    [
        ("1", "1", True), ("1", "2", False), ("1", "11", False), ("*", "*", True),
        ("X", "0", True), ("X", "*", False), ("Z", "0", False), ("N", "1", False),
        ("N", "2", True), ("X.", "12", True), ("X.", "1", False), (".", "#", True),
        (".", "", False), ("4XX", "407", True), ("4XX", "507", False),
    ],
)  # fmt: skip
def test_a_pattern_fits(pattern, keys, does):
    assert fits(pattern, keys) is does


def test_of_several_branches_the_narrowest_is_taken_in_whatever_order_they_stand():
    patterns = [".", "X.", "XX", "NX", "4X", "42"]
    for order in (patterns, patterns[::-1]):
        asked = menu({pattern: Branch() for pattern in order}, digits=3)
        best = {keys: asked.branch_for(keys)[0] for keys in ("42", "43", "53", "13", "131", "*#")}
        assert best == {"42": "42", "43": "4X", "53": "NX", "13": "XX", "131": "X.", "*#": "."}


class AnyPerson(RuleBasedStateMachine):
    """Whatever somebody keys in, whenever: deadlines, prompts and results stay in order."""

    @initialize(
        digits=st.integers(1, 3),
        retries=st.integers(0, 3),
        barge_in=st.booleans(),
        again=st.booleans(),
    )
    def begin(self, digits, retries, barge_in, again):
        deep = menu({"X": Branch({"deep": True}, opt_out=True, prompt=BYE)}, name="deep")
        branches = {"1": Branch(menu=deep), "X.": Branch(prompt=BYE, again=again), "*": Branch()}
        asked = menu(branches, digits=digits, retries=retries, barge_in=barge_in)
        self.talk, self.now, self.playing, self.ended = MenuConversation(asked), 0.0, False, 0
        self.take(self.talk.begin(0.0))

    def take(self, actions):
        for action in actions:
            assert self.ended == 0
            if isinstance(action, Play):
                self.playing = True
            elif isinstance(action, StopPlaying):
                assert self.playing
                self.playing = False
            elif isinstance(action, HangUp):
                self.ended += 1

    @rule(key=st.sampled_from("0123456789*#ABCD"), wait=st.floats(0, 10))
    def press(self, key, wait):
        self.now += wait
        self.take(self.talk.key(key, self.now))

    @rule()
    def hear_the_end(self):
        if self.playing:
            self.playing = False
            self.take(self.talk.played(self.now))

    @rule(wait=st.floats(0, 10))
    def wait(self, wait):
        self.now += wait
        self.take(self.talk.tick(self.now))

    @invariant()
    def something_always_goes_on_until_the_end(self):
        state = self.talk.state
        assert (state is State.OVER) == (self.ended == 1)
        assert (state in {State.PROMPT, State.BRANCH}) == self.playing or state is State.OVER
        assert (self.talk.deadline is not None) == (state in {State.FIRST_KEY, State.KEYS})

    @invariant()
    def results_are_those_of_the_steps(self):
        taken = {step.menu for step in self.talk.steps if step.entry is Entry.TAKEN}
        given = {name for name in ("main", "deep") if self.talk.fields.get(name) is not None}
        assert given <= taken
        assert self.talk.opted_out == ("deep" in self.talk.fields and "deep" in taken)


TestAnyPerson = AnyPerson.TestCase


def test_a_branch_transfers_after_its_prompt_and_leads_on_where_that_fails():
    talk = begun(menu({"1": Branch(prompt=BYE, transfer="sales", again=True)}), heard=True)
    assert talk.key("1", 1) == [Play(BYE)]
    assert talk.played(2) == [Transfer("sales")]
    assert (talk.state, talk.deadline) == (State.TRANSFER, None)
    assert talk.key("1", 3) == []
    assert talk.played(3) == []
    assert talk.tick(100) == []
    assert talk.not_transferred(4) == [Play(ASK)]
    assert talk.state is State.PROMPT
    assert talk.not_transferred(5) == []


def test_a_transfer_that_fails_with_nothing_behind_it_ends_the_call():
    talk = begun(menu({"1": Branch(transfer="sales")}), heard=True)
    assert talk.key("1", 1) == [Transfer("sales")]
    assert talk.not_transferred(2) == [HangUp()]
    assert talk.state is State.OVER
