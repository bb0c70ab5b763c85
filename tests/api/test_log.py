"""Logging: one line a record, whoever wrote it, and no secret in any."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest
import structlog

from dialer import log


@pytest.fixture
def configured():
    """Configure logging into a buffer, and put back what was there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def configure(**options):
        stream = io.StringIO()
        log.configure(stream=stream, **options)
        return stream

    yield configure
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def records(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines(configured):
    stream = configured(fmt="json")
    structlog.get_logger("dialer.engine").info("claimed", calls=3)
    (record,) = records(stream)
    assert record["event"] == "claimed"
    assert record["calls"] == 3
    assert record["level"] == "info"
    assert record["logger"] == "dialer.engine"
    assert record["at"].endswith("Z")


def test_level(configured):
    stream = configured(fmt="json", level="warning")
    structlog.get_logger().info("not this")
    logging.getLogger("aiohttp").info("nor this")
    structlog.get_logger().warning("this")
    assert [record["event"] for record in records(stream)] == ["this"]


def test_configuring_again_replaces(configured):
    first = configured(fmt="json")
    second = configured(fmt="json")
    structlog.get_logger().info("once")
    assert first.getvalue() == ""
    assert len(records(second)) == 1


def test_the_standard_library_takes_the_same_way(configured):
    stream = configured(fmt="json")
    logging.getLogger("alembic").warning("at %s", "0001")
    (record,) = records(stream)
    assert record["event"] == "at 0001"
    assert record["logger"] == "alembic"
    assert record["level"] == "warning"


async def test_context_of_a_call_stays_with_its_task(configured):
    stream = configured(fmt="json")
    logger = structlog.get_logger()

    async def call(number):
        with log.about_call(call_id=number, campaign_id=7):
            await asyncio.sleep(0)
            logger.info("ringing")

    await asyncio.gather(call(1), call(2))
    with log.about_campaign(7):
        logger.info("paused")
    logger.info("free")
    found = [(r.get("call_id"), r.get("campaign_id")) for r in records(stream)]
    assert found == [(1, 7), (2, 7), (None, 7), (None, None)]


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_hides_secrets(configured, fmt):
    stream = configured(fmt=fmt)
    logger = structlog.get_logger()
    logger.info("a", password="hunter2", trunk={"name": "pbx", "password": "hunter2"})
    logger.info("b", api_token="hunter2", authorization=["hunter2"], secret=b"hunter2")
    logger.info("c postgresql://dialer:hunter2@db/dialer", header="Authorization: Bearer hunter2")
    logger.info("c whsec_hunter2/+A==")
    logging.getLogger("lib").warning("connecting to %s", "postgresql://dialer:hunter2@db/dialer")
    address = "postgresql://dialer:hunter2@db/dialer"
    try:
        int(address)
    except ValueError:
        logger.exception("d")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert text.count(log.HIDDEN) == 10
    assert "pbx" in text
    assert "ValueError" in text


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_what_a_peer_sends_makes_no_line_of_its_own(configured, fmt):
    stream = configured(fmt=fmt)
    structlog.get_logger().info(
        "got 486 Busy\r\n2026-01-01 [error] forged", phrase="a\nb\x1b[31m\u2028c", raw=b"\r\n\xff"
    )
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b[31m" not in text.replace("\x1b[0m", "")
    assert "forged" in text
