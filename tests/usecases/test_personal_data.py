"""What tells of a person is decided column by column: a new one fails here until somebody does.

A column of a member's rows is either personal (its model says `Personal(...)`: emptied when the
member is erased), or it stays, and then it stands below.
"""

from collections.abc import Iterator

from tortoise.models import Model

from loyalty_graph.db import personal
from loyalty_graph.db.constraints import Personal

KEYS = {"program_id", "member_id"}
STAYS: dict[str, str] = {
    "account": "status balance_points held_points pending_points qualifying_points lifetime_points "
    "sequence head may_earn lapses_at",
    "activity": "id kind name network store occasion occurred_at recorded_at points entry_sequence "
    "rule_version verdicts",
    "activity_count": "rule network counted_at",
    "activity_proof": "rule activity_id",
    "approval": "id state points asked_by asked_at ends_at decided_by decided_at entry_sequence",
    "apple_registration": "serial pass_type device registered_at",
    "audit_entry": "id kind actor about at",
    "benefit_use": "benefit period number used_at source code actor",
    "card_link": "id token_sha256 created_at revoked_at",
    "card_mark": "marked_at trace",
    "checkpoint_head": "number sequence hash",
    "consent": "id purpose granted at source",
    "earning_counter": "rule period points times",
    "expiry_notice": "lot_sequence points expires_at told_at",
    "fact": "id kind at sequence",
    "lapse": "id recorded_at lapses_at",
    "lot": "sequence points remaining_points expires_at activates_at is_pending told_expires_at "
    "awaits",
    "lot_use": "sequence lot_sequence points",
    "member": "id number status locale enrolled_at",
    "member_merge": "id into_id qualifying_points merged_at unmerged_at",
    "member_lock": "may_earn locked_at actor",
    "member_reference": "kind",
    "member_subscription": "id plan_code plan_version status started_at anchor_at period_start "
    "period_end periods opened is_trial paid_minor credit_minor failed_attempts paused_at "
    "cancelled_at ends_at ended_at next_step_at provider",
    "member_subscription_past": "id recorded_at plan_code plan_version status started_at anchor_at "
    "period_start period_end periods opened is_trial paid_minor credit_minor failed_attempts "
    "paused_at cancelled_at ends_at ended_at",
    "member_summary": "purchase_count spend_minor last_purchase_at",
    "offer_activation": "offer activated_at used uses_left",
    "pass": "serial platform token_generation issued_at update_tag changed_at last_modified "
    "delivered_tag delivered_at stale_since holds_until handed_out_at handed_out_tag installed_at "
    "removed_at expires_at voided_at",
    "points_hold": "id state points captured_points entry_sequence created_at ends_at ended_at",
    "points_transfer": "id recipient_id state points fee_points parts sent_at settled_at",
    "purchase": "id source external_id store channel purchased_at recorded_at currency total_minor "
    "tax_minor paid_minor paid_points points entry_sequence rule_version payment pinned "
    "spend_minor exchange state",
    "purchase_line": "purchase_id number product_type sku quantity unit_minor discount_minor "
    "tax_minor points refunded_quantity paid_minor paid_points labels reduced_minor",
    "purchase_reference": "external_id source purchase_id",
    "redemption": "id reward version state points entry_sequence store held_until created_at "
    "issued_at expires_at used_at used_store ended_at restocked code_hash receipt_source "
    "receipt_id",
    "refund": "id purchase_id external_id refunded_at recorded_at amount_minor due_points "
    "clawed_back_points shortfall_points returned_minor returned_points spend_minor entry_sequence "
    "is_void",
    "refund_line": "refund_id number quantity amount_minor",
    "subscription_payment": "external_id provider subscription_id outcome amount_minor paid_at "
    "recorded_at",
    "subscription_period": "subscription_id number starts_at ends_at plan_code plan_version",
    "subscription_saving": "reference subscription_id benefit saved_minor at",
    "tier_change": "sequence kind tier_before tier_after at recorded_at rule_version actor",
    "tier_standing": "earned ends_on since override override_until measure amounts sequence "
    "review_at",
    "tier_standing_past": "recorded_at earned ends_on since override override_until",
    "transfer": "sequence kind debit credit points qualifying_points balance_after at recorded_at "
    "reference rule_version details_hash hash",
    "voucher": "id state face_minor remaining_minor issued_at expires_at",
    "voucher_use": "voucher_id number amount_minor of_number at store reference receipt_source "
    "receipt_id",
}
"""What stays of a member's rows: the shop's books, and words that tell of nobody."""
OF_NOBODY = {
    "alarm": "what an operator must mend",
    "api_token": "of partners and staff",
    "apple_device": "a phone without its owner; gone once its last card is",
    "apple_log": "what phones complain of, pruned",
    "balance_import": "its file only while it is under way; then faults of refused rows",
    "card_push": "wishes to wake phones",
    "card_rollout": "of the programme",
    "card_template": "of the programme",
    "checkpoint": "signed hashes over all members",
    "google_bucket": "of the issuer",
    "google_callback": "nonces, pruned",
    "google_class": "of the programme",
    "google_object": "digests of what the card shows, replaced once it shows nothing",
    "idempotency": "answers, removed by `idempotency.forget`",
    "job": "what is to be done",
    "ledger_audit": "findings by member id",
    "lease": "of processes",
    "partner": "a shop",
    "partner_issuance": "what a shop issued in a day",
    "reward_stock": "of the programme",
    "schedule": "of the programme",
    "staff": "who runs the programme",
    "unclaimed_receipt": "a purchase of somebody who did not say who he is",
    "update_tag": "a count",
}
"""Tables whose rows belong to no member, and what they are."""
OF_PROGRAMMES = (
    *("benefit_rules", "card_latency", "earning_budget", "earning_rules", "exchange_rate"),
    *("fact_count", "program", "program_version", "reward_rules", "segments"),
    *("subscription_plans", "tier_rules"),
)


def of_members() -> Iterator[tuple[type[Model], Personal | None]]:
    """Yield the models whose rows belong to members."""
    for model in personal.models():
        said = personal.personal(model)
        if said is not None or personal.OWNER in model._meta.fields_db_projection:
            yield model, said


def columns(model: type[Model]) -> set[str]:
    return set(model._meta.fields_db_projection)


async def test_every_column_about_a_member_is_personal_or_stays(database: object):
    about = {model._meta.db_table: (columns(model) - KEYS, said) for model, said in of_members()}

    undecided = {
        table: names ^ {*STAYS.get(table, "").split(), *(said.columns if said else ())} - KEYS
        for table, (names, said) in about.items()
    }

    assert {table: names for table, names in undecided.items() if names} == {}
    assert set(STAYS) == set(about)


async def test_nothing_both_stays_and_goes(database: object):
    for model, said in of_members():
        both = {*STAYS.get(model._meta.db_table, "").split()} & {*(said.columns if said else ())}
        assert both == set(), model._meta.db_table


async def test_of_every_other_table_it_is_known_why_it_tells_of_nobody(database: object):
    about_members = {model._meta.db_table for model, _ in of_members()}

    others = {model._meta.db_table for model in personal.models()} - about_members

    assert others == {*OF_NOBODY, *OF_PROGRAMMES}


async def test_what_is_called_personal_can_be_emptied(database: object):
    for model, said in of_members():
        if said is not None and not said.rows:
            keys = {name for name, field in model._meta.fields_map.items() if field.pk}
            assert not keys & set(said.columns), model._meta.db_table
