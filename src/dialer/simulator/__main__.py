"""`python -m dialer.simulator`: the carrier as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dialer.simulator import behaviours
from dialer.simulator.carrier import Carrier, CarrierSettings

if TYPE_CHECKING:
    from dialer.simulator.ledger import Ledger


def main() -> int:
    """Run until SIGINT or SIGTERM, then write the ledger."""
    parser = argparse.ArgumentParser(
        prog="python -m dialer.simulator",
        description="A SIP carrier for tests.",
        epilog=behaviours.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=5070, help="UDP port, 0 for any free one")
    parser.add_argument("--second", type=float, default=1.0, help="length of its seconds")
    parser.add_argument("--loss", type=float, default=0.0, help="share of datagrams lost each way")
    parser.add_argument("--seed", type=int, default=0, help="chooses what is lost")
    parser.add_argument(
        "--rtp-packets", type=int, default=10, help="sent with early media and with an answer"
    )
    parser.add_argument("--t1", type=float, default=0.5, help="T1 in seconds")
    parser.add_argument("--ledger", type=Path, help="file for the ledger, as JSON, at the end")
    arguments = vars(parser.parse_args())
    ledger = arguments.pop("ledger")
    try:
        record = asyncio.run(_run(CarrierSettings(**arguments)))
        if ledger is not None:
            ledger.write_text(record.to_json())
    except OSError as error:
        sys.stderr.write(f"dialer.simulator: {error}\n")
        return 1
    return 0


async def _run(settings: CarrierSettings) -> Ledger:
    carrier = Carrier(settings)
    await carrier.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"listening on udp {carrier.address.host} {carrier.address.port}\n")
        sys.stdout.flush()
    await stop.wait()
    await carrier.close()
    return carrier.ledger


if __name__ == "__main__":
    sys.exit(main())
