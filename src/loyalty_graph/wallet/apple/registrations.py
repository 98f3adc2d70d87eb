"""Which devices hold which passes, as the devices tell.

Whatever touches what is known of a pass locks its row first, then the device's row, then what is to
be pushed: the order of the numbering, which locks card marks before all of these.
"""

from dataclasses import dataclass
from datetime import datetime

from tortoise.queryset import QuerySet

from loyalty_graph.db import assert_in_transaction, transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import NotFoundError
from loyalty_graph.outbox import facts, mark_cards
from loyalty_graph.wallet.apple.models import DeviceRow, RegistrationRow
from loyalty_graph.wallet.models import CardPushRow, PassRow
from loyalty_graph.wallet.service import Platform, fact_of

INSTALLED, REMOVED = "pass.installed", "pass.removed"
DEVICES_OF_A_PASS_MAX = 200
"""A new device takes the place of the one that registered longest ago."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A device and a pass that it holds; the device's id is its secret."""

    pass_type: str
    device: str
    serial: str


async def register(holding: Holding, push_token: str, *, now: datetime) -> bool:
    """Let a device be told of a pass's changes; return whether that is new.

    The push token is kept in any case, and pushes that went to another one are sent again. The
    first device writes the fact `pass.installed`. When the device's copy may be older than the
    pass, because the pass has changed since copies were made of it, the pass is numbered anew, so
    that the device lists it, whatever it listed before.

    Raises:
        NotFoundError: There is no such pass for Apple Wallet.
    """
    card = await _pass(holding.serial)
    is_new = not await _registration(card, holding.device).exists()
    return await _register(holding, push_token, card, is_new and _copies_may_be_old(card), now)


@transaction
async def _register(
    holding: Holding,
    push_token: str,
    card: PassRow,
    must_mark: bool,  # noqa: FBT001 - `transaction` passes on what it is given
    now: datetime,
) -> bool:
    if must_mark:
        await _mark(card, now)
    card = await _lock(card)
    await _keep_token(holding, push_token, now)
    if await _registration(card, holding.device).exists():
        return False
    if _copies_may_be_old(card):
        # Once more, should it have been numbered between the look at it and its lock.
        await _mark(card, now)
        if card.voided_at is not None:
            # A void pass is numbered once, for the change that made it so.
            await _row(card).update(changed_at=card.voided_at)
    known = await RegistrationRow.filter(
        program_id=card.program_id, member_id=card.member_id, serial=card.serial
    ).order_by("registered_at", "device")
    for row in known[: max(0, len(known) - DEVICES_OF_A_PASS_MAX + 1)]:
        await _registration(card, row.device).delete()
        await _forget_unless_it_holds_something(row.pass_type, row.device)
    await RegistrationRow.create(
        program_id=card.program_id,
        member_id=card.member_id,
        serial=card.serial,
        pass_type=holding.pass_type,
        device=holding.device,
        registered_at=now,
    )
    if not known:
        await _row(card).update(installed_at=now, removed_at=None)
        await _tell(card, INSTALLED, now)
    return True


async def unregister(holding: Holding, *, now: datetime) -> bool:
    """Stop telling a device of a pass; return whether it was told of it until now.

    The last device writes the fact `pass.removed`. A device that holds nothing more is forgotten.

    Raises:
        NotFoundError: There is no such pass for Apple Wallet.
    """
    return await _unregister(holding, await _pass(holding.serial), now)


@transaction
async def _unregister(holding: Holding, card: PassRow, now: datetime) -> bool:
    card = await _lock(card)
    if not await _leave(card, holding.device, now):
        return False
    await _forget_unless_it_holds_something(holding.pass_type, holding.device)
    return True


@transaction
async def forget_device(
    pass_type: str, device: str, *, push_token: str, told_until: datetime, now: datetime
) -> bool:
    """Forget a device with its registrations, since its push token reaches nobody any more.

    Returns:
        False when the device told another token, or this one anew after `told_until`.
    """
    held = RegistrationRow.filter(pass_type=pass_type, device=device)
    cards = await (
        PassRow.filter(serial__in=[row.serial for row in await held])
        .order_by("program_id", "member_id", "serial")
        .select_for_update()
    )
    gone = await DeviceRow.filter(
        pass_type=pass_type, device=device, push_token=push_token, token_told_at__lte=told_until
    ).delete()
    if not gone:
        return False
    for card in cards:
        await _leave(card, device, now)
    await CardPushRow.filter(platform=Platform.APPLE, channel=pass_type, target=device).delete()
    return True


async def _pass(serial: str) -> PassRow:
    card = await PassRow.get_or_none(serial=serial, platform=Platform.APPLE)
    if card is None:
        raise NotFoundError("pass", "like this")
    return card


async def _lock(card: PassRow) -> PassRow:
    """Keep everybody else, the numbering too, from this pass until the transaction ends.

    Whatever the numbering does to the pass is seen here, or it sees what is done here: it updates
    a pass before it reads who is registered for it.
    """
    assert_in_transaction()
    return await _row(card).select_for_update().get()


async def _leave(card: PassRow, device: str, now: datetime) -> bool:
    if not await _registration(card, device).delete():
        return False
    others = RegistrationRow.filter(
        program_id=card.program_id, member_id=card.member_id, serial=card.serial
    )
    if not await others.exists():
        await _row(card).update(removed_at=now)
        await _tell(card, REMOVED, now)
    return True


async def _keep_token(holding: Holding, push_token: str, now: datetime) -> None:
    key = {"pass_type": holding.pass_type, "device": holding.device}
    before = await DeviceRow.filter(**key).select_for_update().get_or_none()
    told = DeviceRow(**key, push_token=push_token, token_told_at=now)
    await DeviceRow.bulk_create(
        [told], on_conflict=tuple(key), update_fields=("push_token", "token_told_at")
    )
    if before is None or before.push_token == push_token:
        return
    # What was pushed to the token of before may have reached nobody. A push that is under way is
    # not ended by whoever claimed it: the claim is gone.
    missed = CardPushRow.filter(
        platform=Platform.APPLE,
        channel=holding.pass_type,
        target=holding.device,
        wanted_tag__gt=-1 if before.listed_tag is None else before.listed_tag,
    )
    await missed.filter(changed_at__isnull=True).update(changed_at=now)
    await missed.update(claim=None, due_at=now)


async def _forget_unless_it_holds_something(pass_type: str, device: str) -> None:
    # Locked, so that a pass registered at this moment is seen here, or makes the device anew.
    key = {"pass_type": pass_type, "device": device}
    await DeviceRow.filter(**key).select_for_update().get_or_none()
    if not await RegistrationRow.filter(**key).exists():
        await DeviceRow.filter(**key).delete()
        await CardPushRow.filter(platform=Platform.APPLE, channel=pass_type, target=device).delete()


def _copies_may_be_old(card: PassRow) -> bool:
    return card.update_tag > (0 if card.handed_out_tag is None else card.handed_out_tag)


async def _mark(card: PassRow, now: datetime) -> None:
    await store(card.program_id, [mark_cards([card.member_id], now=now)])


async def _tell(card: PassRow, kind: str, now: datetime) -> None:
    fact = fact_of(kind, card.member_id, card.serial, Platform.APPLE, now=now)
    await store(card.program_id, [facts([fact])])


def _row(card: PassRow) -> QuerySet[PassRow]:
    return PassRow.filter(
        program_id=card.program_id,
        member_id=card.member_id,
        platform=card.platform,
        serial=card.serial,
    )


def _registration(card: PassRow, device: str) -> QuerySet[RegistrationRow]:
    return RegistrationRow.filter(
        program_id=card.program_id, member_id=card.member_id, serial=card.serial, device=device
    )
