"""Every state of the four transaction machines meets every input (RFC 3261 §17, RFC 6026)."""

from __future__ import annotations

import pytest
from tests.unit.sip.sample_messages import as_request, as_response, request_bytes, response_bytes

from dialer.sip.client_invite import ClientInvite
from dialer.sip.client_non_invite import ClientNonInvite
from dialer.sip.server_invite import ServerInvite
from dialer.sip.server_non_invite import ServerNonInvite
from dialer.sip.transaction import (
    TRANSPORT_ERROR,
    Deliver,
    Failure,
    Respond,
    Send,
    Start,
    State,
    Stop,
    Timer,
    Timings,
)

T1, T2, T4 = 0.5, 4.0, 5.0
UNRELIABLE = Timings(T1, T2, T4)
RELIABLE = Timings(T1, T2, T4, reliable=True)
A, B, D, E, F, G, H, I, J, K, L, M = Timer  # noqa: E741 - the RFC's names

INVITE, ACK = (as_request(request_bytes(method)) for method in ("INVITE", "ACK"))
BYE = as_request(request_bytes("BYE"))
CODES = (100, 180, 200, 202, 302, 404, 503, 603)
RESPONSES = {code: as_response(response_bytes(code)) for code in CODES}
ANSWERS = {code: Respond(code, b"answer %d" % code) for code in CODES}
REQUEST, ACK_SENT = Send(b"request"), Send(b"ack")

TIMER_INPUTS = {str(timer): timer for timer in Timer}
CLIENT_INPUTS = {**RESPONSES, **TIMER_INPUTS, "error": TRANSPORT_ERROR}
SERVER_INPUTS = {**ANSWERS, **TIMER_INPUTS, "error": TRANSPORT_ERROR, "request": INVITE, "ack": ACK}
SERVER_NON_INVITE_INPUTS = {**ANSWERS, **TIMER_INPUTS, "error": TRANSPORT_ERROR, "request": BYE}


def client_invite(timings):
    return ClientInvite(b"request", lambda _response: b"ack", timings)


def client_non_invite(timings):
    return ClientNonInvite(b"request", timings)


# How each state is reached from a fresh machine.
WAYS = {
    client_invite: {
        State.CALLING: [],
        State.PROCEEDING: [180],
        State.ACCEPTED: [200],
        State.COMPLETED: [404],
        State.TERMINATED: ["B"],
    },
    client_non_invite: {
        State.TRYING: [],
        State.PROCEEDING: [100],
        State.COMPLETED: [200],
        State.TERMINATED: ["F"],
    },
    ServerInvite: {
        State.PROCEEDING: [180],
        State.ACCEPTED: [200],
        State.COMPLETED: [404],
        State.CONFIRMED: [404, "ack"],
        State.TERMINATED: [404, "H"],
    },
    ServerNonInvite: {
        State.TRYING: [],
        State.PROCEEDING: [100],
        State.COMPLETED: [200],
        State.TERMINATED: [200, "J"],
    },
}
INPUTS = {
    client_invite: CLIENT_INPUTS,
    client_non_invite: CLIENT_INPUTS,
    ServerInvite: SERVER_INPUTS,
    ServerNonInvite: SERVER_NON_INVITE_INPUTS,
}


def rows(codes, state, outputs):
    """Expect the same of several codes; `outputs` is made from the code."""
    return {code: (state, outputs(code)) for code in codes}


def deliver(code):
    return Deliver(RESPONSES[code])


def answer(code):
    return Send(ANSWERS[code].data)


# What a pair does that is not ignored: (new state, outputs). All others leave everything as it is.
EXPECTED = {
    (client_invite, State.CALLING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [Stop(A), Stop(B), deliver(code)]),
        **rows(
            (200, 202),
            State.ACCEPTED,
            lambda code: [Stop(A), Stop(B), Start(M, 64 * T1), deliver(code)],
        ),
        **rows(
            (302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [Stop(A), Stop(B), ACK_SENT, Start(D, 64 * T1), deliver(code)],
        ),
        "A": (State.CALLING, [REQUEST, Start(A, 2 * T1)]),
        "B": (State.TERMINATED, [Failure.TIMEOUT]),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (client_invite, State.PROCEEDING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [deliver(code)]),
        **rows((200, 202), State.ACCEPTED, lambda code: [Start(M, 64 * T1), deliver(code)]),
        **rows(
            (302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [ACK_SENT, Start(D, 64 * T1), deliver(code)],
        ),
    },
    (client_invite, State.ACCEPTED): {
        **rows((200, 202), State.ACCEPTED, lambda code: [deliver(code)]),
        "M": (State.TERMINATED, []),
    },
    (client_invite, State.COMPLETED): {
        **rows((200, 202), State.COMPLETED, lambda code: [deliver(code)]),
        **rows((302, 404, 503, 603), State.COMPLETED, lambda _code: [ACK_SENT]),
        "D": (State.TERMINATED, []),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (client_invite, State.TERMINATED): {},
    (client_non_invite, State.TRYING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [deliver(code)]),
        **rows(
            (200, 202, 302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [Stop(E), Stop(F), Start(K, T4), deliver(code)],
        ),
        "E": (State.TRYING, [REQUEST, Start(E, 2 * T1)]),
        "F": (State.TERMINATED, [Failure.TIMEOUT]),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (client_non_invite, State.PROCEEDING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [deliver(code)]),
        **rows(
            (200, 202, 302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [Stop(E), Stop(F), Start(K, T4), deliver(code)],
        ),
        "E": (State.PROCEEDING, [REQUEST, Start(E, T2)]),
        "F": (State.TERMINATED, [Failure.TIMEOUT]),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (client_non_invite, State.COMPLETED): {"K": (State.TERMINATED, [])},
    (client_non_invite, State.TERMINATED): {},
    (ServerInvite, State.PROCEEDING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [answer(code)]),
        **rows((200, 202), State.ACCEPTED, lambda code: [answer(code), Start(L, 64 * T1)]),
        **rows(
            (302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [answer(code), Start(H, 64 * T1), Start(G, T1)],
        ),
        "request": (State.PROCEEDING, [answer(180)]),
        "error": (State.PROCEEDING, [Failure.TRANSPORT]),
    },
    (ServerInvite, State.ACCEPTED): {
        **rows((200, 202), State.ACCEPTED, lambda code: [answer(code)]),
        "ack": (State.ACCEPTED, [Deliver(ACK)]),
        "L": (State.TERMINATED, []),
        "error": (State.ACCEPTED, [Failure.TRANSPORT]),
    },
    (ServerInvite, State.COMPLETED): {
        "request": (State.COMPLETED, [answer(404)]),
        "ack": (State.CONFIRMED, [Stop(G), Stop(H), Start(I, T4)]),
        "G": (State.COMPLETED, [answer(404), Start(G, 2 * T1)]),
        "H": (State.TERMINATED, [Failure.TIMEOUT]),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (ServerInvite, State.CONFIRMED): {"I": (State.TERMINATED, [])},
    (ServerInvite, State.TERMINATED): {},
    (ServerNonInvite, State.TRYING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [answer(code)]),
        **rows(
            (200, 202, 302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [answer(code), Start(J, 64 * T1)],
        ),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (ServerNonInvite, State.PROCEEDING): {
        **rows((100, 180), State.PROCEEDING, lambda code: [answer(code)]),
        **rows(
            (200, 202, 302, 404, 503, 603),
            State.COMPLETED,
            lambda code: [answer(code), Start(J, 64 * T1)],
        ),
        "request": (State.PROCEEDING, [answer(100)]),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (ServerNonInvite, State.COMPLETED): {
        "request": (State.COMPLETED, [answer(200)]),
        "J": (State.TERMINATED, []),
        "error": (State.TERMINATED, [Failure.TRANSPORT]),
    },
    (ServerNonInvite, State.TERMINATED): {},
}


def machine_in(make, state, timings=UNRELIABLE):
    machine = make(timings)
    if hasattr(machine, "start"):
        machine.start()
    for name in WAYS[make][state]:
        machine.handle(INPUTS[make][name])
    assert machine.state is state
    return machine


def test_the_table_holds_every_state_of_every_machine():
    assert set(EXPECTED) == {(make, state) for make, ways in WAYS.items() for state in ways}
    assert {len(ways) for ways in WAYS.values()} == {4, 5}


@pytest.mark.parametrize(
    ("make", "state", "name"),
    [
        pytest.param(make, state, name, id=f"{make.__name__}-{state.name}-{name}")
        for (make, state) in EXPECTED
        for name in INPUTS[make]
    ],
)
def test_pair(make, state, name):
    machine = machine_in(make, state)
    outputs = machine.handle(INPUTS[make][name])
    assert (machine.state, outputs) == EXPECTED[make, state].get(name, (state, []))


def test_invite_is_sent_with_timers_a_and_b():
    assert client_invite(UNRELIABLE).start() == [REQUEST, Start(B, 64 * T1), Start(A, T1)]
    assert client_invite(RELIABLE).start() == [REQUEST, Start(B, 64 * T1)]


def test_non_invite_is_sent_with_timers_e_and_f():
    assert client_non_invite(UNRELIABLE).start() == [REQUEST, Start(F, 64 * T1), Start(E, T1)]
    assert client_non_invite(RELIABLE).start() == [REQUEST, Start(F, 64 * T1)]


def test_timer_a_doubles_without_a_cap():
    machine = machine_in(client_invite, State.CALLING)
    intervals = [machine.handle(A)[1].seconds for _ in range(6)]
    assert intervals == [1, 2, 4, 8, 16, 32]


def test_timer_e_doubles_up_to_t2():
    machine = machine_in(client_non_invite, State.TRYING)
    assert [machine.handle(E)[1].seconds for _ in range(5)] == [1, 2, 4, 4, 4]


def test_timer_g_doubles_up_to_t2():
    machine = machine_in(ServerInvite, State.COMPLETED)
    assert [machine.handle(G)[1].seconds for _ in range(5)] == [1, 2, 4, 4, 4]


def test_a_retransmitted_invite_before_any_response_is_absorbed():
    machine = ServerInvite(UNRELIABLE)
    assert machine.handle(INVITE) == []
    assert machine.state is State.PROCEEDING


def test_an_invite_taken_up_from_another_process_awaits_its_final_response():
    machine = ClientInvite(b"", lambda _response: b"ack", UNRELIABLE, proceeding=True)
    assert machine.state is State.PROCEEDING


@pytest.mark.parametrize(
    ("make", "way", "given", "expected"),
    [
        (client_invite, State.PROCEEDING, 404, Start(D, 0.0)),
        (client_non_invite, State.TRYING, 200, Start(K, 0.0)),
        (ServerInvite, State.COMPLETED, "ack", Start(I, 0.0)),
        (ServerNonInvite, State.TRYING, 200, Start(J, 0.0)),
    ],
)
def test_a_reliable_transport_leaves_nothing_to_wait_for(make, way, given, expected):
    machine = machine_in(make, way, RELIABLE)
    assert expected in machine.handle(INPUTS[make][given])


def test_a_reliable_transport_needs_no_timer_g():
    machine = ServerInvite(RELIABLE)
    assert machine.handle(ANSWERS[404]) == [answer(404), Start(H, 64 * T1)]
