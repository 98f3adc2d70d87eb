"""What members and shops do, told by the words of the programme over naive lots."""

from datetime import datetime, timedelta

from tests.usecases.naive_ledger import (
    FEE_PERCENT,
    FEE_POINTS,
    UNITS,
    UNMERGE,
    Bought,
    Given,
    Holder,
    Lot,
    NaiveLedger,
    Sent,
    Taken,
    end_of_day,
    expires,
)
from tests.usecases.naive_shop import Refused


def check_active(holder: Holder) -> None:
    if holder.into:
        raise Refused("MEMBER_NOT_ACTIVE")


def lives_as(holder: Holder) -> Holder:
    return lives_as(holder.into) if holder.into else holder


class NaiveStories(NaiveLedger):
    """Everything that can happen; what is refused may leave half of it done."""

    def buy(self, holder: Holder, units: dict[str, int], at: datetime, now: datetime) -> Bought:
        check_active(holder)
        if holder.debt:
            self.look(holder, now)
        left = {kind: n for kind, n in units.items() if n}
        lots = [self.open_lot(holder, sum(left.values()), expires(at))]
        for kind, (more, days) in UNITS.items():
            if days and (n := left.get(kind, 0)):
                until = end_of_day(at, days - 1)
                lots.append(self.wait(holder, n * more, until, expires(at)))
                if until <= now:
                    self.activate(lots[-1:])
        points = sum(lot.points for lot in lots)
        holder.qualifying += points
        holder.lifetime += points
        self.books["ISSUED"] -= points
        self.bought.append(Bought(holder, left, points, lots))
        return self.bought[-1]

    def refund(
        self, bought: Bought, units: dict[str, int] | None, now: datetime
    ) -> tuple[int, int, int]:
        """Return points due, taken and forgiven."""
        payer = lives_as(bought.owner)
        units = dict(bought.left) if units is None else units
        if not any(units.values()):
            raise Refused("INVALID_INPUT")
        if any(n > bought.left[kind] for kind, n in units.items()):
            raise Refused("REFUND_TOO_LARGE")
        self.look(bought.owner, now)
        for kind, n in units.items():
            bought.left[kind] -= n
        due = max(0, bought.points - bought.worth() - bought.due - bought.cancelled)
        bought.due += due
        if payer is not bought.owner:
            if due:
                self.look(payer, now)
            bought.owner.brought = max(0, bought.owner.brought - due)
        payer.qualifying -= due
        taken = self.take_back(bought, payer, due, now)
        return due, taken, due - taken

    def take_back(self, bought: Bought, payer: Holder, due: int, now: datetime) -> int:
        """Take what is due: what still waits of the purchase first; return what was there."""
        if self.policy == "KEEP":
            return 0
        own = [lot for lot in payer.lots if lot in bought.lots or lot.came_from in bought.lots]
        gone = self.cancel(payer, [lot for lot in own if lot.waited_until], due)
        if self.policy == "PENDING_FIRST":
            gone += self.cancel(payer, payer.waiting(), due - gone)
        return due - self.claw_back(payer, due - gone, own, "CLAWED_BACK", now)

    def redeem(self, holder: Holder, points: int, now: datetime) -> Taken:
        check_active(holder)
        self.look(holder, now)
        taken = self.spend(holder, points, now)
        self.books["REDEEMED"] += points
        self.spent.append(taken)
        return taken

    def return_points(self, taken: Taken, now: datetime) -> None:
        if taken.state != "OPEN":
            raise Refused("INVALID_INPUT")
        self.look(taken.owner, now)
        taken.state = "RETURNED"
        self.give_back(taken, taken.parts, "REDEEMED", now)
        if taken.owner.into and (taken.owner.balance or taken.owner.pending):
            self.look(lives_as(taken.owner), now)
            self.hand_over(taken.owner, lives_as(taken.owner), now)

    # --- holds

    def hold(self, holder: Holder, points: int, minutes: int, now: datetime) -> Taken:
        check_active(holder)
        self.look(holder, now)
        self.release_overdue([one for one in self.holds if one.owner is holder], now)
        taken = self.spend(holder, points, now)
        taken.until = now + timedelta(minutes=minutes)
        self.holds.append(taken)
        return taken

    def held(self, holder: Holder) -> int:
        mine = [one for one in self.holds if one.owner is holder and one.state == "OPEN"]
        return sum(one.points for one in mine)

    def end_hold(self, hold: Taken, captured: int, now: datetime) -> None:
        """Spend so many points of a hold, and give the others back."""
        is_over = hold.state == "OPEN" and hold.until is not None and hold.until <= now
        if is_over or hold.state == "EXPIRED":
            raise Refused("HOLD_EXPIRED")
        if hold.state != "OPEN":
            raise Refused("HOLD_ENDED")
        if captured > hold.points:
            raise Refused("HOLD_AMOUNT")
        if captured:
            check_active(hold.owner)
        self.look(hold.owner, now)
        hold.state = "ENDED"
        self.books["REDEEMED"] += captured
        self.release(hold, hold.points - captured, now)

    def release(self, hold: Taken, points: int, now: datetime) -> None:
        parts, left = [], points
        for lot, step in sorted(hold.parts, key=lambda one: (one[0].expires, one[0].serial))[::-1]:
            parts.append((lot, min(step, left)))
            left -= min(step, left)
        if points:
            self.give_back(hold, parts, "HELD", now)

    def release_overdue(self, holds: list[Taken], now: datetime) -> None:
        over = [one for one in holds if one.state == "OPEN" and one.until and one.until <= now]
        for one in sorted(over, key=lambda one: (one.until, one.id)):
            one.state = "EXPIRED"
            self.release(one, one.points, now)

    # --- what waits

    def awaited(self, bought: Bought) -> tuple[Holder, list[Lot]]:
        """Return who holds what waits of a purchase, and that, or refuse."""
        holder = lives_as(bought.owner)
        parts = [lot for lot in bought.lots if lot.waited_until]
        mine = [lot for lot in holder.lots if lot in parts or lot.came_from in parts]
        found = [lot for lot in mine if lot.waits_until]
        if found:
            return holder, found
        if not parts:
            raise Refused("NOT_PENDING")
        is_active = any(lot.is_activated for lot in (*parts, *mine))
        raise Refused("PENDING_ACTIVATED" if is_active else "PENDING_CANCELLED")

    def activate_pending(self, bought: Bought, now: datetime) -> int:
        self.look(bought.owner, now)
        self.look(lives_as(bought.owner), now)
        _, found = self.awaited(bought)
        points = sum(lot.left for lot in found)
        self.activate(sorted(found, key=lambda lot: (lot.waits_until, lot.expires, lot.serial)))
        return points

    def cancel_pending(self, bought: Bought, points: int | None, now: datetime) -> int:
        check_active(bought.owner)
        self.look(bought.owner, now)
        holder, found = self.awaited(bought)
        most = sum(lot.left for lot in found)
        if points and points > most:
            raise Refused("PENDING_AMOUNT")
        gone = self.cancel(holder, found, points or most)
        holder.qualifying -= min(gone, max(0, bought.points - bought.due - bought.cancelled))
        bought.cancelled += gone
        return gone

    # --- by hand

    def adjust(self, holder: Holder, points: int, now: datetime) -> Given | Taken:
        check_active(holder)
        self.look(holder, now)
        done: Given | Taken
        if points > 0:
            done = Given(holder, self.open_lot(holder, points, expires(now)), "ADJUSTED")
        else:
            done = self.spend(holder, -points, now)
        self.books["ADJUSTED"] -= points
        self.adjusted.append(done)
        return done

    def migrate(
        self, holder: Holder, points: int, qualifying: int, days: int, now: datetime
    ) -> Given:
        check_active(holder)
        if holder.debt:
            self.look(holder, now)
        lot = self.open_lot(holder, points, end_of_day(now, days)) if points else None
        holder.qualifying += qualifying
        holder.lifetime += qualifying
        self.books["MIGRATED"] -= points
        self.adjusted.append(Given(holder, lot, "MIGRATED", qualifying))
        return self.adjusted[-1]

    def reverse(self, done: Given | Taken, now: datetime) -> tuple[int, int]:
        """Return what was taken back (below zero: given), and what was forgiven."""
        check_active(done.owner)
        if isinstance(done, Taken):
            if done.state != "OPEN":
                raise Refused("ENTRY_REVERSED")
            done.state = "RETURNED"
            self.look(done.owner, now)
            self.give_back(done, done.parts, "ADJUSTED", now)
            return -done.points, 0
        if done.is_back:
            raise Refused("ENTRY_REVERSED")
        done.is_back = True
        self.look(done.owner, now)
        done.owner.qualifying -= done.qualifying
        if done.lot is None:
            return 0, 0
        short = self.claw_back(done.owner, done.lot.points, [done.lot], done.book, now)
        return done.lot.points - short, short

    def reinstate(self, holder: Holder, days: int, now: datetime) -> tuple[int, int]:
        """Return the points that came back, and what of them had been forgiven."""
        check_active(holder)
        self.look(holder, now)
        self.expire(holder, now)
        since = now - timedelta(days=days)
        found = [one for one in holder.expired if one.at > since and not one.is_back]
        if not found:
            raise Refused("NOTHING_EXPIRED")
        reclaimed = 0
        for one in found:
            one.is_back = True
            self.books["EXPIRED"] -= one.points
            lot = self.open_lot(holder, one.points, expires(now))
            step = min(self.forgiven_since(holder, one.serial), lot.left)
            lot.left -= step
            self.reclaim(holder, step)
            reclaimed += step
        return sum(one.points for one in found), reclaimed

    # --- members with each other

    def send(self, holder: Holder, to: Holder, points: int, now: datetime) -> Sent:
        if holder is to:
            raise Refused("TRANSFER_TO_SELF")
        if to.into:
            raise Refused("RECIPIENT_NOT_ACTIVE")
        check_active(holder)
        self.look(holder, now)
        fee = FEE_POINTS + -(-points * FEE_PERCENT // 100)
        parts = self.spend(holder, points + fee, now).parts
        given, paid, left = [], [], points
        for lot, step in parts:
            given.append((lot, min(step, left)))
            paid.append((lot, step - min(step, left)))
            left -= min(step, left)
        self.books["CLEARING"] += points
        self.books["FEES"] += fee
        sent = Sent(Taken(holder, given, self.next()), Taken(holder, paid, self.next()), to)
        self.sent.append(sent)
        return sent

    def deliver(self, sent: Sent, now: datetime) -> None:
        """Let points arrive with their dates, or bring them back with what they cost."""
        if not sent.is_open:
            return
        sent.is_open = False
        if sent.to.into:
            self.look(sent.given.owner, now)
            self.give_back(sent.given, sent.given.parts, "CLEARING", now)
            self.give_back(sent.fee, sent.fee.parts, "FEES", now)
            return
        self.look(sent.to, now)
        self.books["CLEARING"] -= sent.given.points
        for ends in dict.fromkeys(lot.expires for lot, step in sent.given.parts if step):
            together = sum(step for lot, step in sent.given.parts if lot.expires == ends)
            self.open_lot(sent.to, together, ends)

    def merge(self, holder: Holder, into: Holder, now: datetime) -> None:
        if holder is into:
            raise Refused("MERGE_WITH_SELF")
        check_active(into)
        check_active(holder)
        self.look(holder, now)
        self.look(into, now)
        under_way = any(one.is_open and one.given.owner is holder for one in self.sent)
        if self.held(holder) or under_way:
            raise Refused("MERGE_BLOCKED")
        holder.brought = holder.qualifying
        self.hand_over(holder, into, now)
        holder.into, holder.merged_at = into, now

    def hand_over(self, holder: Holder, into: Holder, now: datetime) -> None:
        """Let another one have every lot, with its dates, the debt and what counts for tiers."""
        self.expire(holder, now)
        self.expire(into, now)
        for lot in (*holder.active(), *holder.waiting()):
            if not lot.left:
                continue
            if lot.waits_until:
                came = self.wait(into, lot.left, lot.waits_until, lot.expires)
                came.came_waiting = True
            else:
                came = self.open_lot(into, lot.left, lot.expires)
            came.came_from = lot
            lot.left, lot.waits_until = 0, None
        owed = holder.debt
        holder.debt = 0
        into.debt += owed - sum(step for _, step in self.take(into.active(), owed))
        for one, points in ((holder, -holder.qualifying), (into, holder.qualifying)):
            one.qualifying += points
            one.lifetime += points

    def unmerge(self, holder: Holder, now: datetime) -> None:
        """Give back what is left of the lots that came; it waits again if it did."""
        into = holder.into
        if into is None or holder.merged_at is None:
            raise Refused("NOT_MERGED")
        if now > holder.merged_at + UNMERGE:
            raise Refused("UNMERGE_TOO_LATE")
        if into.into:
            raise Refused("MERGE_BLOCKED")
        self.look(into, now)
        self.expire(into, now)
        holder.into = None
        for lot in into.lots:
            was = lot.came_from
            if was and was.owner is holder and lot.left:
                was.left += lot.left
                if lot.came_waiting:
                    was.waits_until = was.waited_until
                lot.left, lot.waits_until = 0, None
        self.look(holder, now)
        self.expire(holder, now)
        points = min(holder.brought, into.qualifying)
        for one, more in ((holder, points), (into, -points)):
            one.qualifying += more
            one.lifetime += more
