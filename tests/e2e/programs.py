"""Programs that the tests call: where they are, and the ports that they take."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

SIP = Path(__file__).parents[2] / "sip"


def program(name: str) -> str:
    """Return the path of Asterisk or SIPp, or fail with the line that says what is missing."""
    found = subprocess.run([SIP / "fetch.sh", name], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(found.stderr.strip(), pytrace=False)
    return found.stdout.strip()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bound(port: int) -> bool:
    """Whether some process listens for UDP on `port` (the second column, in hexadecimal)."""
    table = Path("/proc/net/udp").read_text()
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines()[1:])
