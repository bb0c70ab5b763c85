"""`dialer trunk check` against Asterisk: over UDP, TCP and TLS, with a registration and a call."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

ACCOUNT = "dialer-registered"


@pytest.fixture
def check(asterisk, tmp_path):
    """`await check("tls", "--call", "1001")` returns the exit code and the steps by name."""

    async def run(transport, *options, password="dialer-secret"):
        path = tmp_path / "dialer.toml"
        port = asterisk.port + (transport == "tls")
        ca = f'tls_ca_file = "{asterisk.folder}/tls/ca.pem"\n' if transport == "tls" else ""
        path.write_text(
            f'[sip]\nhost = "127.0.0.1"\n[numbers]\ninternal = "[0-9]{{4}}"\n'
            f'[[trunk]]\nname = "pbx"\naddress = "127.0.0.1:{port}"\n'
            f'transport = "{transport}"\n{ca}register = true\n'
            f'username = "{ACCOUNT}"\npassword_env = "DIALER_PBX_PASSWORD"\n'
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer", "trunk", "check", "pbx", "--config", path, "--json",
            *options, env={**os.environ, "DIALER_PBX_PASSWORD": password},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(30):
            out, error = await process.communicate()
        assert error == b""
        steps = [json.loads(line) for line in out.splitlines()]
        return process.returncode, {step["step"]: step for step in steps}

    return run


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_every_step_is_fine(transport, asterisk, check):
    code, steps = await check(transport, "--call", "1001")
    assert code == 0
    assert list(steps) == ["resolve", "connect", "register", "options", "call", "verdict"]
    assert {step["status"] for step in steps.values()} == {"ok"}
    if transport == "tls":
        certificate = steps["connect"]["certificate"]
        assert certificate["subject"] == "CN=lab.invalid"
        assert certificate["names"] == ["DNS localhost", "DNS lab.invalid", "IP 127.0.0.1"]
        assert certificate["issuer"] == "CN=dialer lab authority"
        assert certificate["days_left"] == 29
    assert steps["options"]["software"] == "dialer-lab"
    call = steps["call"]
    assert (call["outcome"], call["code"]) == ("answered", 200)
    assert call["rtp_packets_sent"] > 50
    assert call["rtp_packets_received"] > 50
    # nothing is left behind: no registration, no call
    assert ACCOUNT not in await asyncio.to_thread(asterisk.console, "pjsip", "show", "contacts")
    channels = await asyncio.to_thread(asterisk.console, "core", "show", "channels", "concise")
    assert ACCOUNT not in channels


async def test_a_wrong_password_is_said(check):
    code, steps = await check("udp", password="not-the-secret")
    assert code == 1
    register = steps["register"]
    assert register["said"] == "credentials refused: REGISTER got 401 Unauthorized"
    assert register["advice"] == "correct `username` or the password in DIALER_PBX_PASSWORD"
    assert steps["options"]["status"] == "ok"
    assert steps["verdict"]["status"] == "failed"
