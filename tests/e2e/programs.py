"""Programs that the tests call: where they are, and the ports that they take."""

from __future__ import annotations

import itertools
import os
import random
import re
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
    """Return a port that is free, with the next one, for UDP and TCP.

    It is none that the system gives out by itself, nor one of another process of this test run.
    """
    while True:
        port = next(_PORTS)
        if all(_is_free(kind, one) for one in (port, port + 1) for kind in _KINDS):
            return port


_KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_WORKER = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % 8
_FIRST = range(10_000 + 700 * _WORKER, 10_700 + 700 * _WORKER, 2)
_PORTS = itertools.cycle(random.sample(_FIRST, len(_FIRST)))


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def bound(port: int) -> bool:
    """Whether some process listens for UDP on `port` (the second column, in hexadecimal)."""
    table = Path("/proc/net/udp").read_text()
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines()[1:])
