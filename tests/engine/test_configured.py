"""What the configuration says of pauses and quiet hours reaches the engine of a whole service."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from tests.engine.scene import T1, TRUNK, eventually, new_carrier, numbers_of
from tests.engine.test_automatic_pause import without_cause

from dialer import config
from dialer.campaign.moves import CampaignAction
from dialer.service import Service
from dialer.store import campaigns, numbers
from dialer.store.records import DEFAULT_ACCOUNT, CampaignSettings, NewCall


@pytest.fixture
async def serve(database_url, tmp_path):
    """`carrier = await serve(pause=…)` runs a service with such sections, and a carrier."""
    async with contextlib.AsyncExitStack() as exits:

        async def start(**sections):
            carrier = new_carrier()
            await carrier.start()
            exits.push_async_callback(carrier.close)
            password = tmp_path / "password"
            password.write_text(carrier.settings.password)
            trunk = config.Trunk(
                name=TRUNK,
                address=f"{carrier.address.host}:{carrier.address.port}",
                username=carrier.settings.username,
                password_file=password,
                caller_id="+15550001000",
                max_calls=5,
                calls_per_second=25,
            )
            settings = config.Config(
                database=config.Database(url=database_url),
                api=config.Api(port=0),
                sip=config.Sip(host="127.0.0.1"),
                engine=config.Engine(node="one", drain_seconds=1),
                trunk=(trunk,),
                **sections,
            )
            service = Service(settings, t1=T1)
            await service.start()
            exits.push_async_callback(service.stop)
            return carrier

        yield start


async def campaign(pool, *listed, **settings):
    wanted = {"name": "Spring", "trunks": (TRUNK,), "max_attempts": 1, **settings}
    made = await campaigns.create(pool, DEFAULT_ACCOUNT, CampaignSettings(**wanted))
    await numbers.add(pool, DEFAULT_ACCOUNT, made.id, listed)
    await campaigns.act(pool, DEFAULT_ACCOUNT, made.id, CampaignAction.START)
    return made.id


@pytest.mark.parametrize(
    ("pause", "code", "said"),
    [
        ({"technical_attempts": 6, "technical_share": 0.9}, 500, "6 of the last 6 attempts"),
        ({"invalid_calls": 7, "invalid_share": 0.5}, 404, "said of 7 of its last 7 calls"),
        ({"trunks_unusable_seconds": 1}, None, "no trunk of the campaign was usable"),
    ],
)
async def test_the_thresholds_of_automatic_pauses_are_those_of_the_configuration(
    serve, pool, pause, code, said
):
    await serve(pause=config.Pause(**pause))
    listed = numbers_of("0000", 20) if code is None else without_cause(code, 100)
    which = await campaign(pool, *map(NewCall, listed), calls_per_second=10.0)

    async def paused():
        found = await campaigns.get(pool, DEFAULT_ACCOUNT, which)
        return found.pause_detail

    assert said in await eventually(paused)


async def test_nobody_is_called_in_the_quiet_hours_of_the_configuration(serve, pool):
    now = dt.datetime.now(dt.UTC)
    begin, end = (now + dt.timedelta(hours=hours) for hours in (-2, 2))
    carrier = await serve(care=config.Care(quiet_hours=f"{begin:%H:%M}-{end:%H:%M}"))
    asleep = NewCall("+15552000000", time_zone="UTC")
    awake = NewCall("+15552000001", time_zone="+06:00")
    which = await campaign(pool, asleep, awake)

    async def one_is_over():
        found = (await campaigns.counts(pool, [which]))[which]
        return found["answered"] == 1 and found["planned"] == 1

    await eventually(one_is_over)
    opens = await pool.fetchval("SELECT opens_at FROM schedules WHERE time_zone = 'UTC'")
    assert opens == end.replace(second=0, microsecond=0)
    assert carrier.ledger.calls_per_number() == {"+15552000001": 1}
