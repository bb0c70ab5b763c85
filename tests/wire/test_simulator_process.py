"""The simulated carrier as a process of its own."""

import asyncio
import json
import sys

from tests.wire.simulation import TIMERS, TRUNK

from dialer.clock import SystemClock
from dialer.ua.agent import UserAgent, UserAgentSettings
from dialer.ua.call import CallRequest, Trunk
from dialer.ua.ladder import Ladder
from dialer.ua.transport import bind

COMMAND = (sys.executable, "-m", "dialer.simulator")


async def start(*arguments):
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(*COMMAND, *arguments, **pipes)


async def test_it_takes_calls_and_leaves_its_ledger(tmp_path):
    file = tmp_path / "ledger.json"
    carrier = await start("--port", "0", "--second", "0.1", "--ledger", str(file))
    said = (await carrier.stdout.readline()).decode().split()
    assert said[:4] == ["listening", "on", "udp", "127.0.0.1"]
    trunk = Trunk(
        "simulator",
        "127.0.0.1",
        int(said[4]),
        username=TRUNK.username,
        password=TRUNK.password,
    )
    lines = []
    ladder = Ladder(lines.append, SystemClock())
    agent = UserAgent(UserAgentSettings("127.0.0.1", on_message=ladder, **TIMERS), SystemClock())
    await agent.start()
    result = await agent.call(CallRequest(trunk, "+15557110000", "+15550001111", max_talk=0.05))
    await agent.close()
    carrier.terminate()
    assert await carrier.wait() == 0
    assert result.answered
    (row,) = json.loads(file.read_text())
    assert (row["call_id"], row["finals"], row["live"]) == (result.call_id, [407, 200], [])
    steps = [line.split("─ ")[1].split(" ─")[0] for line in lines[1:]]
    assert steps == [
        "INVITE",
        "100 Trying",
        "407 Proxy Authentication Required",
        "ACK",
        "INVITE",
        "100 Trying",
        "200 OK",
        "ACK",
        "BYE",
        "200 OK",
    ]


async def test_a_port_in_use_is_one_clear_line():
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        carrier = await start("--port", str(port))
        _, error = await carrier.communicate()
    assert carrier.returncode == 1
    assert error.decode() == (
        f"dialer.simulator: cannot listen on udp 127.0.0.1 port {port}: Address already in use\n"
    )
