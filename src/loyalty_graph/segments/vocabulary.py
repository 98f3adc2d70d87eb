"""What conditions can ask of a member, of the tier and of the subscription."""

from loyalty_graph.conditions.vocabulary import DaysAgo, Joined, Term, Type, Vocabulary, by_name
from loyalty_graph.members.rules import MemberStatus

_TIER = "coalesce(tier_standing.override, tier_standing.earned)"


def _summed(column: str) -> Joined:
    return Joined(f"member_summary.{column}", "member_summary.member_id", 0)


MEMBER_TERMS = by_name(
    Term(
        "member.status",
        Type.TEXT,
        "Where the member stands; only ACTIVE ones earn and spend.",
        "m.status",
        "member.status",
        choices=tuple(MemberStatus),
    ),
    Term(
        "member.language",
        Type.TEXT,
        "The language of the member's locale, such as en.",
        "m.language",
        "lower(rtrim(substr(member.locale, 1, 3), '-_'))",
    ),
    Term(
        "member.enrolled_days",
        Type.NUMBER,
        "Days since the member joined, 0 on the day itself.",
        "m.enrolled_days",
        DaysAgo("member.enrolled_at"),
    ),
    Term(
        "member.birthday_month",
        Type.NUMBER,
        "The month of the birthday, 1 to 12.",
        "m.birthday_month",
        {
            "postgres": "date_part('month', member.birthday)::bigint",
            "sqlite": "cast(strftime('%m', member.birthday) as integer)",
        },
        nullable=True,
        least=1,
        most=12,
    ),
    Term(
        "member.is_birthday",
        Type.FLAG,
        "Whether today is the birthday; one of 29 February is kept on the 28th in other years.",
        "m.is_birthday",
        {
            "postgres": "to_char(member.birthday, 'MM-DD') = any({birthdays}::text[])",
            "sqlite": "strftime('%m-%d', member.birthday) in"
            " (select value from json_each({birthdays}))",
        },
        nullable=True,
    ),
    Term(
        "member.has_email",
        Type.FLAG,
        "Whether an e-mail address is known.",
        "m.has_email",
        "member.email is not null",
    ),
    Term(
        "member.has_phone",
        Type.FLAG,
        "Whether a phone number is known.",
        "m.has_phone",
        "member.phone is not null",
    ),
    Term(
        "member.purchase_count",
        Type.NUMBER,
        "How many purchases were recorded so far.",
        "m.purchase_count",
        _summed("purchase_count"),
        least=0,
    ),
    Term(
        "member.spend_minor",
        Type.MONEY,
        "What was paid with money so far, refunds taken off.",
        "m.spend_minor",
        _summed("spend_minor"),
        least=0,
    ),
    Term(
        "member.days_since_purchase",
        Type.NUMBER,
        "Days since the last purchase; not known before the first.",
        "m.days_since_purchase",
        DaysAgo("member_summary.last_purchase_at"),
        nullable=True,
    ),
    Term(
        "member.balance_points",
        Type.NUMBER,
        "The points the member has, without those past their date or pending; below zero is debt.",
        "m.balance_points",
        Joined("account.balance_points + coalesce(timed_lots.points, 0)", "account.member_id", 0),
    ),
    Term(
        "member.lifetime_points",
        Type.NUMBER,
        "The points the member ever earned.",
        "m.lifetime_points",
        Joined("account.lifetime_points", "account.member_id", 0),
        least=0,
    ),
    Term(
        "tier.code",
        Type.TEXT,
        "The code of the member's tier; not known without one.",
        "m.tier",
        Joined(_TIER, "tier_standing.member_id", "first_tier"),
        refers="tier",
        nullable=True,
    ),
    Term(
        "tier.rank",
        Type.NUMBER,
        "The place of the member's tier, 0 for the lowest; not known without one.",
        "m.tier_rank",
        Joined(
            {
                "postgres": f"array_position({{tiers}}::text[], {_TIER}) - 1",
                "sqlite": f"(select key from json_each({{tiers}}) where value = {_TIER})",  # noqa: S608 - our own text
            },
            "tier_standing.member_id",
            "first_rank",
        ),
        nullable=True,
        least=0,
    ),
    Term(
        "subscription.plan",
        Type.TEXT,
        "The code of the plan whose benefits the member has; not known without one.",
        "m.plan",
        "subscription.plan_code",
        refers="plan",
        nullable=True,
    ),
    Term(
        "subscription.is_active",
        Type.FLAG,
        "Whether the member has the benefits of a subscription.",
        "m.is_subscribed",
        "subscription.member_id is not null",
    ),
)
"""What is known of a member: `m` is the `MemberFacts`; `segments.reads` joins the tables."""

MEMBERS = Vocabulary(MEMBER_TERMS, name="MemberCondition")
"""Conditions on a member alone."""
