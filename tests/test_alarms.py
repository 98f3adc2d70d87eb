"""Alarms are raised once, seen by everybody, and over when somebody says so."""

import asyncio
import logging
from datetime import timedelta

import pytest

from loyalty_graph.alarms import Alarm, clear, present, raise_alarm
from tests.shop import NOON

pytestmark = pytest.mark.usefixtures("database")
LATER = NOON + timedelta(hours=1)


async def test_an_alarm_is_logged_once_and_keeps_its_beginning(caplog: pytest.LogCaptureFixture):
    await raise_alarm("apns.pass.x", "refused", NOON)
    await raise_alarm("apns.pass.x", "refused", LATER)

    assert await present() == [Alarm("apns.pass.x", "refused", NOON)]
    assert [one.getMessage() for one in caplog.records] == ["Alarm apns.pass.x: refused"]


async def test_an_alarm_may_change_its_words(caplog: pytest.LogCaptureFixture):
    await raise_alarm("b", "refused", NOON)
    await raise_alarm("a", "expired", LATER)
    await raise_alarm("b", "revoked", LATER)

    assert await present() == [Alarm("a", "expired", LATER), Alarm("b", "revoked", NOON)]
    assert len(caplog.records) == 2


async def test_what_is_over_is_told_once(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    await raise_alarm("a", "refused", NOON)
    await raise_alarm("b", "refused", NOON)

    await clear("a")
    await clear("a")

    assert await present() == [Alarm("b", "refused", NOON)]
    assert [one.getMessage() for one in caplog.records][2:] == ["Alarm a is over."]


async def test_many_raise_one_alarm_at_once(caplog: pytest.LogCaptureFixture):
    await asyncio.gather(*(raise_alarm("a", "refused", NOON) for _ in range(10)))

    assert await present() == [Alarm("a", "refused", NOON)]
    assert len(caplog.records) == 1
