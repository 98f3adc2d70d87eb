"""What conditions know of members in a batch: read with it, kept up while it is decided."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Row
from loyalty_graph.ledger.rules import Account
from loyalty_graph.members import reads as members
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.usecases.posting import ByMember

_OF_MEMBER = {
    "status",
    "locale",
    "language",
    "enrolled_at",
    "enrolled_days",
    "birthday",
    "birthday_month",
    "is_birthday",
    "has_email",
    "has_phone",
}
_OF_PURCHASES = {"purchase_count", "spend_minor", "last_purchase_at", "days_since_purchase"}


class FactsOfMembers:
    """The facts of a batch's members, as far as conditions read them (attributes of the facts)."""

    def __init__(self, wanted: AbstractSet[str]) -> None:
        sources: tuple[tuple[AbstractSet[str], ByMember], ...] = (
            (_OF_MEMBER, members.known_of),
            (_OF_PURCHASES, purchases.summaries_of),
        )
        self.lookups = [lookup for facts, lookup in sources if not wanted.isdisjoint(facts)]
        self._known: dict[UUID, members.Known] = {}
        self._bought: dict[UUID, purchases.Summary] = {}

    def take(self, found: Mapping[ByMember, Mapping[UUID, Sequence[Row]]]) -> None:
        """Take what was looked up for each member."""
        for lookup in self.lookups:
            for member_id, rows in found[lookup].items():
                if rows and lookup is members.known_of:
                    self._known[member_id] = members.Known(*rows[0])
                elif rows:
                    self._bought[member_id] = purchases.Summary(*rows[0])

    def of(self, account: Account, *, at: datetime, now: datetime) -> MemberFacts:
        """Return what is known of a member at a moment in the programme's zone.

        What conditions do not read is left out; tier and plan are for the caller to add. A balance
        that conditions read is right only when the account has all its lots.
        """
        past = sum(lot.remaining for lot in account.lots if lot.ends_at <= now)
        facts = MemberFacts(
            at=at, balance_points=account.balance - past, lifetime_points=account.lifetime
        )
        if known := self._known.get(account.member_id):
            facts.status = known.status
            facts.locale = known.locale
            facts.enrolled_at = known.enrolled_at
            facts.birthday = known.birthday
            facts.has_email = known.email is not None
            facts.has_phone = known.phone is not None
        if bought := self._bought.get(account.member_id):
            facts.purchase_count = bought.purchase_count
            facts.spend_minor = bought.spend_minor
            facts.last_purchase_at = bought.last_purchase_at
        return facts

    def count(self, member_id: UUID, *, spend_minor: int, at: datetime) -> None:
        """Count a purchase that is being recorded: the next one of the batch is not the first."""
        before = self._bought.get(member_id)
        if before is None:
            self._bought[member_id] = purchases.Summary(1, spend_minor, at)
        else:
            self._bought[member_id] = purchases.Summary(
                before.purchase_count + 1,
                before.spend_minor + spend_minor,
                max(before.last_purchase_at, at),
            )
