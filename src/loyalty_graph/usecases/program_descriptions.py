"""What each setting of a programme file means, for editors and for the reference in docs/."""

from collections.abc import Mapping

CODE = "What other parts of the file, and callers, name it by: capital letters, digits and _."
NAME = "What members read."
MINOR = "in the smallest unit of the currency"
COMMON: Mapping[str, str] = {
    "code": CODE,
    "name": NAME,
    "description": "More about it, for members.",
    "opens_at": "From when, such as 2026-12-01T00:00:00-05:00.",
    "closes_at": "Until when, such as 2026-12-31T23:59:00-05:00.",
    "benefits": "What it grants: codes of benefits.",
    "multiplier": 'Purchases earn so much more: an exact ratio such as "5/4" or "2".',
    "tiers": "For members of these tiers only; for all, if not given.",
    "segments": "For members of one of these segments only; for all, if not given.",
    "plans": "For subscribers of these plans only; for all, if not given.",
}
BONUS: Mapping[str, str] = {
    "lines": "Which lines count: a condition on a line; all that are not excluded, if not given.",
    "rate": "What it gives: points for an amount of those lines.",
    "multiplier": 'What it gives: with "2" the points of those lines once more.',
    "points": "What it gives: so many points.",
    "steps": "What it gives: points by how much was spent on those lines.",
    "schedule": "When it is open, again and again.",
    "group": "Of a group only one counts: the highest priority, then the most points.",
    "priority": "Which of a group goes first; 0, if not given.",
    "caps": "The most that one member gets by it.",
    "budget": "The most that all members together get by it.",
    "pending": "Until when its points wait; as those of the lines, if not given.",
}
DESCRIPTIONS: Mapping[str, Mapping[str, str]] = {
    "ProgramFile": {
        "program": "The programme itself.",
        "branding": "How cards and pages look.",
        "stores": "The shops; without any, purchases may name whatever shop they like.",
        "exchange_rates": "What other currencies are worth, each from a day on.",
        "earning": "What purchases and activities earn.",
        "benefits": "What members get beside points.",
        "tiers": "The tiers, the lowest first.",
        "subscription_plans": "Paid memberships.",
        "segments": "Groups of members whom a condition describes.",
        "rewards": "What points are given for.",
    },
    "ProgramSettings": {
        "slug": "The programme's name in addresses; it never changes.",
        "currency": "ISO 4217, such as EUR; it never changes.",
        "time_zone": "Decides where a day, a month and a year begin, such as Europe/Berlin.",
        "accept_days": "A purchase older than this is refused.",
        "claim_days": "How long receipts without a member can be claimed; if not given, none are.",
        "sandbox": "Nothing in it is real; it never changes.",
        "points": "How points are called, how long they live, and what they pay.",
    },
    "PointSettings": {
        "unit_one": "One point, such as bean.",
        "unit_other": "Several points, such as beans.",
        "expiry_months": "Points live so many months: short for a ROLLING expiry.",
        "expiry": "When points expire; never, if neither this nor expiry_months is given.",
        "clawback": "What a return takes: what is there, the rest as debt, what waits first, none.",
        "payment": "What points pay of a basket; nothing, if not given.",
        "transfers": "What members may give each other; nothing, if not given.",
        "approval_above": "Adjustments of more points wait for a second person of the staff.",
        "approval_days": "So long they wait; then they must be asked for anew.",
    },
    "ExpirySettings": {
        "policy": "ROLLING: by the months; FIXED: on dates of the year; SLIDING: by inactivity.",
        "months": "So many months after the day of the purchase: ROLLING; of inactivity: SLIDING.",
        "end": "To the end of what they live then: ROLLING and SLIDING.",
        "resets": 'What is activity: PURCHASE, REDEMPTION, ACTIVITY, "ACTIVITY:CHECK_IN": SLIDING.',
        "dates": 'Their last day, the first of such days of every year: FIXED, ["12-31"].',
        "minimum_months": "Younger points live to the next date: FIXED.",
        "reinstate_days": "Points given back after their end live so much longer; not, without.",
        "notice_days": "Points end only after their owner was told so many days before.",
    },
    "PaymentSettings": {
        "points": "So many points ...",
        "worth_minor": f"... are worth this much, {MINOR}.",
        "basket_percent_max": "They pay at most this part of a basket.",
    },
    "TransferSettings": {
        "min_points": "One transfer gives at least so many.",
        "max_points": "One transfer gives at most so many.",
        "max_points_per_day": "A member gives at most so many in a day of the time zone.",
        "max_points_per_year": "A member gives at most so many in a year of the time zone.",
        "fee_points": "Giving costs so many points beside those that are given.",
        "fee_percent": "Giving costs this part of them, too.",
        "fee_rounding": "What becomes of a part of a point.",
        "keeps_dates": "Whether points end when they would have ended, or live as if earned anew.",
    },
    "Branding": {
        "template": "The folder of the card template; see docs/templates.md.",
        "background": "Behind everything, such as rgb(18, 54, 42).",
        "foreground": "Of values.",
        "label": "Of the words beside them.",
        "terms": "The terms of membership, on the back of the card.",
        "support": "Whom to ask.",
    },
    "Store": {
        "code": "What purchases name it by.",
        "labels": "What conditions look for: store.labels.",
        "city": "Where it is.",
        "latitude": "Degrees north, up to six decimals; together with longitude.",
        "longitude": "Degrees east, up to six decimals; together with latitude.",
    },
    "ExchangeRate": {
        "currency": "The other currency.",
        "from": "The first day, such as 2026-01-01; it holds until the next of its currency.",
        "rate": 'Units of the programme\'s currency for one of the other, in quotes: "1.0853".',
    },
    "Pending": {
        "days": "For so many days; 0 for not at all.",
        "until": "Until that day begins, such as 2026-12-24; purchases after it do not wait.",
        "event": "Until this happens, such as DELIVERY: activatePending names it.",
        "latest_days": "After so many days they wait no longer, whether or not it has happened.",
    },
    "EarningSettings": {
        "pending": "Until when points of purchases wait; they can be spent at once, if not given.",
        "product_types": "The product types there are; the first ones are shown as examples.",
        "excluded_product_types": "These earn nothing, and no bonus counts them.",
        "excluded_skus": "These articles earn nothing.",
        "excluded_labels": "Lines with one of these labels earn nothing.",
        "unknown_product_types": "Whether a purchase of a type that is not listed is refused.",
        "counts_tax": "Whether tax counts; it does not, if not given.",
        "default_rate": "For types without a rate of their own; they earn nothing without it.",
        "rates": "Rates of some product types.",
        "profile_fields": "What a profile needs to be complete.",
        "stacking": "Whether all bonuses of a purchase count, or only the best.",
        "caps": "The most that purchases earn in all, whatever gives the points.",
        "rules": "Bonuses beside the rates.",
        "offers": "Bonuses that a member activates before buying.",
    },
    "Rate": {
        "points": "So many points ...",
        "per_amount_minor": f"... for each so much, {MINOR}.",
        "granularity": "PRORATA: a part of the amount earns its part. STEP: only a whole one does.",
        "rounding": "What becomes of a part of a point, or of an unfinished step.",
        "product_types": "Whose rate it is.",
        "carry": "What a whole step leaves over counts for the member's next purchase.",
    },
    "EarningRule": {
        **BONUS,
        "on": "PURCHASE, or the activity it rewards.",
        "when": "A condition on the purchase as a whole, or on the activity.",
        "cooldown_hours": "For activities: between two that count.",
        "once_per": "For activities: what they count once for.",
        "needs_proof": "For activities: whether a proof must be named.",
    },
    "Offer": {
        **BONUS,
        "when": "A condition on the purchase as a whole.",
        "audience": "A condition on the member: who sees it and may activate it.",
        "uses": "How many purchases use it after it was activated.",
    },
    "Step": {
        "from_minor": f"From so much on, {MINOR}; the highest that is reached counts.",
        "points": "So many points.",
    },
    "Cap": {
        "points": "At most so many points; or give times.",
        "times": "At most so often; or give points.",
        "per": "In each such period; weeks begin on Monday.",
    },
    "TotalCap": {
        "points": "At most so many points.",
        "per": "In each such period; weeks begin on Monday.",
        "scope": "MEMBER: each member's own purchases. PROGRAM: those of all members together.",
    },
    "Budget": {
        "points": "At most so many points; not below what was given already.",
        "per": "In each such period; EVER, if not given.",
    },
    "Schedule": {
        "rrule": "When windows begin: a recurrence of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO.",
        "begins": "The first one, in the programme's time: 2026-12-07T08:00:00.",
        "minutes": "How long each is open.",
    },
    "Benefit": {
        "kind": "What it is; a BIRTHDAY_GIFT is for the month of the birthday.",
        "uses": "How often in each period; not counted, if not given. Goes with per.",
        "per": "The period after which uses begin anew.",
    },
    "TierSettings": {
        "basis": "SPEND counts money, QUALIFYING_POINTS points earned by purchases.",
        "window": "The calendar year, or the last twelve months.",
        "downgrade": "Where a member falls who did not keep the tier.",
        "grace_days": "So many days after the window the tier stays.",
        "levels": "The tiers, the lowest first.",
    },
    "TierLevel": {
        "entry": f"Reaches it: points, or money {MINOR}; above that of the tier below.",
        "keep": "Keeps it in the next window; entry, if not given.",
        "color": "Its colour on cards, such as rgb(176, 131, 38).",
    },
    "SubscriptionPlan": {
        "interval": "How long a fee lasts.",
        "price_minor": f"The fee, {MINOR}.",
        "trial_days": "A member's first subscription is free for so long.",
        "grace_days": "Who has not paid keeps the benefits for so long.",
        "dunning_attempts": "So often a card is tried in that time, where the fee is collected.",
        "welcome_points": "Given with the first fee, once to a member.",
    },
    "SegmentSettings": {"when": "The condition on its members."},
    "RewardSettings": {
        "kind": "What it is; this decides which of value_minor, percent and product it needs.",
        "value_minor": f"What it is worth, {MINOR}: DISCOUNT_AMOUNT and STORED_VALUE.",
        "percent": "What it takes off: DISCOUNT_PERCENT.",
        "product": "What is free: FREE_PRODUCT.",
        "cost_points": "The price.",
        "tier_costs": "Prices of some tiers: { GOLD = 900 }.",
        "image_url": "A picture of it.",
        "stock": "How many there are in all: what was given out under earlier versions counts.",
        "limit_per_member": "How often a member may have it.",
        "when": "A condition on the member it is for.",
        "unit_cost_minor": f"What one costs the programme, {MINOR}.",
        "code_days": "Codes and vouchers live so long, to the end of the last day.",
        "hold_minutes_max": "How long points can be set aside for it while a basket is open.",
        "expired_points": "What becomes of the points when its code was not used in time.",
        "refundable": "Whether it can be brought back.",
    },
}
"""By the name of the settings, then of the setting; `COMMON` holds what several share."""

ALIKE: Mapping[str, str] = {"TypeRate": "Rate", "CarriedRate": "Rate"}


def described(kind: str, name: str) -> str | None:
    """Return what a setting means, or None when nothing is said of it."""
    own = DESCRIPTIONS.get(ALIKE.get(kind, kind), {})
    return own.get(name, COMMON.get(name))
