"""Reading what conditions know of members, many at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.ledger.terms import Terms, terms_of
from loyalty_graph.members.models import Member
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.models import MemberSummary
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.subscriptions import reads as subscription_reads
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.tiers import reads as tier_reads
from loyalty_graph.tiers import service as tiers

_PROFILE = ("status", "locale", "enrolled_at", "birthday", "email", "phone")
_SUMMARY = ("purchase_count", "spend_minor", "last_purchase_at")


async def facts_of(
    program_id: UUID, member_ids: Sequence[UUID], *, at: datetime, now: datetime, zone: ZoneInfo
) -> dict[UUID, MemberFacts]:
    """Return what is known of these members now; unknown ones are absent.

    Days are counted from the day of `at` in the programme's zone. What time alone did to tiers,
    subscriptions and points counts, whether or not the jobs have been here.
    """
    keys = [(one,) for one in member_ids]
    people, accounts, lots, bought, standings, subscribed = await fetch(
        program_id,
        Lookup(Member, ("id",), keys, _PROFILE),
        ledger.accounts_of(member_ids),
        ledger.open_lots_of(member_ids),
        Lookup(MemberSummary, ("member_id",), keys, _SUMMARY),
        tiers.standings(member_ids),
        subscriptions.of_members(member_ids, limit=1),
    )
    version = await programs.in_force(program_id, now, now=now)
    terms = terms_of(version.settings)
    standing = await _tiers(version, dict(zip(member_ids, standings, strict=True)), now)
    newest = [row for rows in subscribed for row in rows]
    plans = await subscription_reads.newest_of(version, newest, now=now)
    found: dict[UUID, MemberFacts] = {}
    rows = zip(member_ids, people, accounts, lots, bought, strict=True)
    for member_id, person, account, open_lots, summary in rows:
        if person:
            facts = found[member_id] = _profile(person[0], at.astimezone(zone))
            _add_points(facts, account, open_lots, terms, now)
            if summary:
                facts.purchase_count, facts.spend_minor, facts.last_purchase_at = summary[0]
            facts.tier, facts.tier_rank = standing.get(member_id, (None, None))
            facts.plan = _plan(plans.get(member_id))
    return found


def _profile(row: Row, at: datetime) -> MemberFacts:
    status, locale, enrolled_at, birthday, email, phone = row
    return MemberFacts(
        at=at,
        status=status,
        locale=locale,
        enrolled_at=enrolled_at,
        birthday=birthday,
        has_email=email is not None,
        has_phone=phone is not None,
    )


def _add_points(
    facts: MemberFacts,
    account: Sequence[Row],
    open_lots: Sequence[Row],
    terms: Terms,
    now: datetime,
) -> None:
    for row in account:
        balance = ledger.balance_of(row, open_lots, terms=terms, now=now)
        lots = ledger.dated(row, open_lots, terms)
        facts.balance_points = balance.balance + sum(_by_time(one, terms, now) for one in lots)
        facts.lifetime_points = balance.lifetime


def _by_time(lot: ledger.OpenLot, terms: Terms, now: datetime) -> int:
    """Return what time alone did to the balance since the jobs have seen this lot."""
    has_ended = lot.has_ended(terms, now)
    if lot.is_pending:
        return 0 if has_ended or lot.waits(now) else lot.points
    return -lot.points if has_ended else 0


async def _tiers(
    version: programs.Version, rows: Mapping[UUID, Sequence[Row]], now: datetime
) -> dict[UUID, tuple[str | None, int | None]]:
    """Return each member's tier and its rank; empty when the programme has no tiers."""
    scheme = await tiers.scheme(version)
    if scheme is None:
        return {}
    found = await tier_reads.statuses_of(version.program_id, scheme, rows, now=now)
    ranks = {level.code: place for place, level in enumerate(scheme.settings.levels)}
    return {
        member_id: (one.tier, None if one.tier is None else ranks.get(one.tier))
        for member_id, one in found.items()
    }


def _plan(view: subscription_reads.View | None) -> str | None:
    if view is None or view.entitled_until is None:
        return None
    return view.state.plan_code
