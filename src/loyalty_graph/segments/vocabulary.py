"""What conditions can ask of a member, of the tier and of the subscription."""

from loyalty_graph.conditions.vocabulary import Term, Type, Vocabulary, by_name
from loyalty_graph.members.rules import MemberStatus

MEMBER_TERMS = by_name(
    Term(
        "member.status",
        Type.TEXT,
        "Where the member stands; only ACTIVE ones earn and spend.",
        "m.status",
        choices=tuple(MemberStatus),
    ),
    Term(
        "member.language",
        Type.TEXT,
        "The language of the member's locale, such as en.",
        "m.language",
    ),
    Term(
        "member.enrolled_days",
        Type.NUMBER,
        "Days since the member joined, 0 on the day itself.",
        "m.enrolled_days",
    ),
    Term(
        "member.birthday_month",
        Type.NUMBER,
        "The month of the birthday, 1 to 12.",
        "m.birthday_month",
        nullable=True,
        least=1,
        most=12,
    ),
    Term(
        "member.is_birthday",
        Type.FLAG,
        "Whether today is the birthday; one of 29 February is kept on the 28th in other years.",
        "m.is_birthday",
        nullable=True,
    ),
    Term("member.has_email", Type.FLAG, "Whether an e-mail address is known.", "m.has_email"),
    Term("member.has_phone", Type.FLAG, "Whether a phone number is known.", "m.has_phone"),
    Term(
        "member.purchase_count",
        Type.NUMBER,
        "How many purchases were recorded so far.",
        "m.purchase_count",
        least=0,
    ),
    Term(
        "member.spend_minor",
        Type.MONEY,
        "What was paid with money so far, refunds taken off.",
        "m.spend_minor",
        least=0,
    ),
    Term(
        "member.days_since_purchase",
        Type.NUMBER,
        "Days since the last purchase; not known before the first.",
        "m.days_since_purchase",
        nullable=True,
    ),
    Term(
        "member.balance_points",
        Type.NUMBER,
        "The points the member has, without those past their date; below zero it is debt.",
        "m.balance_points",
    ),
    Term(
        "member.lifetime_points",
        Type.NUMBER,
        "The points the member ever earned.",
        "m.lifetime_points",
        least=0,
    ),
    Term(
        "tier.code",
        Type.TEXT,
        "The code of the member's tier; not known without one.",
        "m.tier",
        refers="tier",
        nullable=True,
    ),
    Term(
        "tier.rank",
        Type.NUMBER,
        "The place of the member's tier, 0 for the lowest; not known without one.",
        "m.tier_rank",
        nullable=True,
        least=0,
    ),
    Term(
        "subscription.plan",
        Type.TEXT,
        "The code of the plan whose benefits the member has; not known without one.",
        "m.plan",
        refers="plan",
        nullable=True,
    ),
    Term(
        "subscription.is_active",
        Type.FLAG,
        "Whether the member has the benefits of a subscription.",
        "m.is_subscribed",
    ),
)
"""What is known of a member; `m` is the member's `MemberFacts`."""

MEMBERS = Vocabulary(MEMBER_TERMS)
"""Conditions on a member alone."""
