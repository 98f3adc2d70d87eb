-- 0001_initial: read it, amend it while it is new, never change it once it is released.

CREATE TABLE "account" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "status" VARCHAR(12) NOT NULL,
    "balance_points" BIGINT NOT NULL,
    "held_points" BIGINT NOT NULL,
    "pending_points" BIGINT NOT NULL,
    "qualifying_points" BIGINT NOT NULL,
    "lifetime_points" BIGINT NOT NULL,
    "sequence" INT NOT NULL,
    "head" BYTEA NOT NULL,
    "may_earn" BOOL NOT NULL DEFAULT FALSE,
    "lapses_at" TIMESTAMPTZ,
    CONSTRAINT "account_pkey" PRIMARY KEY ("program_id", "member_id"),
    CONSTRAINT "account_qualifying_not_negative" CHECK (qualifying_points >= 0),
    CONSTRAINT "account_held_not_negative" CHECK (held_points >= 0),
    CONSTRAINT "account_pending_not_negative" CHECK (pending_points >= 0)
) WITH (fillfactor = 70);
CREATE INDEX "account_due" ON "account" ("program_id", "lapses_at") WHERE lapses_at IS NOT NULL;
CREATE TABLE "activity" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "kind" VARCHAR(20) NOT NULL,
    "name" VARCHAR(40),
    "network" VARCHAR(40),
    "proof" VARCHAR(100),
    "store" VARCHAR(60),
    "occasion" VARCHAR(12),
    "occurred_at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "points" BIGINT NOT NULL,
    "entry_sequence" INT,
    "rule_version" INT NOT NULL,
    "verdicts" JSONB NOT NULL,
    CONSTRAINT "activity_pkey" PRIMARY KEY ("program_id", "member_id", "id")
);
CREATE UNIQUE INDEX "activity_occasion_once" ON "activity" ("program_id", "member_id", "kind", "occasion") WHERE occasion IS NOT NULL;
CREATE TABLE "activity_count" (
    "rule" VARCHAR(40) NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "network" VARCHAR(40) NOT NULL,
    "counted_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "activity_count_pkey" PRIMARY KEY ("program_id", "member_id", "rule", "network")
) WITH (fillfactor = 80);
CREATE TABLE "activity_proof" (
    "proof" VARCHAR(100) NOT NULL,
    "program_id" UUID NOT NULL,
    "rule" VARCHAR(40) NOT NULL,
    "member_id" UUID NOT NULL,
    "activity_id" UUID NOT NULL,
    CONSTRAINT "activity_proof_pkey" PRIMARY KEY ("program_id", "rule", "proof")
);
CREATE TABLE "alarm" (
    "name" VARCHAR(255) NOT NULL,
    "message" TEXT NOT NULL,
    "since" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "alarm_pkey" PRIMARY KEY ("name")
);
CREATE TABLE "apple_device" (
    "device" VARCHAR(255) NOT NULL,
    "pass_type" VARCHAR(200) NOT NULL,
    "push_token" TEXT NOT NULL,
    "token_told_at" TIMESTAMPTZ NOT NULL,
    "listed_tag" BIGINT,
    CONSTRAINT "apple_device_pkey" PRIMARY KEY ("pass_type", "device")
);
CREATE TABLE "apple_log" (
    "id" UUID NOT NULL,
    "logged_at" TIMESTAMPTZ NOT NULL,
    "message" TEXT NOT NULL,
    CONSTRAINT "apple_log_pkey" PRIMARY KEY ("id")
);
CREATE TABLE "apple_registration" (
    "serial" VARCHAR(32) NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "pass_type" VARCHAR(200) NOT NULL,
    "device" VARCHAR(255) NOT NULL,
    "registered_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "apple_registration_pkey" PRIMARY KEY ("program_id", "member_id", "serial", "device")
);
CREATE INDEX "apple_registration_of_device" ON "apple_registration" ("pass_type", "device");
CREATE TABLE "approval" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "state" VARCHAR(8) NOT NULL,
    "points" BIGINT NOT NULL,
    "reason" TEXT NOT NULL,
    "asked_by" VARCHAR(80) NOT NULL,
    "asked_at" TIMESTAMPTZ NOT NULL,
    "ends_at" TIMESTAMPTZ NOT NULL,
    "decided_by" VARCHAR(80),
    "decided_at" TIMESTAMPTZ,
    "note" TEXT NOT NULL,
    "entry_sequence" INT,
    CONSTRAINT "approval_pkey" PRIMARY KEY ("program_id", "member_id", "id"),
    CONSTRAINT "approval_moves_points" CHECK (points <> 0)
);
CREATE INDEX "approval_newest" ON "approval" ("program_id", "id");
CREATE TABLE "audit_entry" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID,
    "kind" VARCHAR(40) NOT NULL,
    "actor" VARCHAR(80) NOT NULL,
    "about" VARCHAR(120) NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "before" JSONB,
    "after" JSONB,
    "reason" TEXT NOT NULL,
    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE INDEX "audit_entry_of_member" ON "audit_entry" ("program_id", "member_id", "id");
CREATE INDEX "audit_entry_by" ON "audit_entry" ("program_id", "actor", "id");
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "audit_entry_refuses_change" BEFORE UPDATE OR DELETE ON "audit_entry" FOR EACH ROW EXECUTE FUNCTION "refuse_change"('{"before": null, "after": null, "reason": ""}');
CREATE TRIGGER "audit_entry_refuses_truncate" BEFORE TRUNCATE ON "audit_entry" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "balance_import" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "source" VARCHAR(30) NOT NULL,
    "form" VARCHAR(8) NOT NULL,
    "digest" BYTEA NOT NULL,
    "caller" VARCHAR(80) NOT NULL,
    "content" TEXT,
    "rows" INT NOT NULL,
    "done" INT NOT NULL,
    "known" INT NOT NULL,
    "joined" INT NOT NULL,
    "points" BIGINT NOT NULL,
    "refused" INT NOT NULL,
    "faults" JSONB NOT NULL,
    "begun_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ,
    CONSTRAINT "balance_import_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE TABLE "benefit_rules" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    CONSTRAINT "benefit_rules_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "benefit_use" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "benefit" VARCHAR(30) NOT NULL,
    "period" DATE NOT NULL,
    "number" INT NOT NULL,
    "used_at" TIMESTAMPTZ NOT NULL,
    "source" VARCHAR(12) NOT NULL,
    "code" VARCHAR(30) NOT NULL,
    "actor" VARCHAR(80) NOT NULL,
    CONSTRAINT "benefit_use_pkey" PRIMARY KEY ("program_id", "member_id", "benefit", "period", "number"),
    CONSTRAINT "benefit_use_number_positive" CHECK (number > 0)
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "benefit_use_refuses_change" BEFORE UPDATE OR DELETE ON "benefit_use" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "benefit_use_refuses_truncate" BEFORE TRUNCATE ON "benefit_use" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "card_latency" (
    "day" DATE NOT NULL,
    "program_id" UUID NOT NULL,
    "platform" VARCHAR(8) NOT NULL,
    "stage" VARCHAR(8) NOT NULL,
    "bucket" INT NOT NULL,
    "samples" BIGINT NOT NULL,
    CONSTRAINT "card_latency_pkey" PRIMARY KEY ("program_id", "day", "platform", "stage", "bucket")
) WITH (fillfactor = 70);
CREATE TABLE "card_link" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "token_sha256" VARCHAR(64) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "revoked_at" TIMESTAMPTZ,
    CONSTRAINT "card_link_pkey" PRIMARY KEY ("program_id", "member_id", "id")
);
CREATE UNIQUE INDEX "card_link_token" ON "card_link" ("token_sha256");
CREATE TABLE "card_mark" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "marked_at" TIMESTAMPTZ NOT NULL,
    "trace" VARCHAR(55),
    CONSTRAINT "card_mark_pkey" PRIMARY KEY ("program_id", "member_id")
) WITH (fillfactor = 70);
CREATE TABLE "card_push" (
    "target" VARCHAR(255) NOT NULL,
    "platform" VARCHAR(8) NOT NULL,
    "channel" VARCHAR(200) NOT NULL,
    "wanted_tag" BIGINT NOT NULL,
    "pushed_tag" BIGINT NOT NULL,
    "changed_at" TIMESTAMPTZ,
    "due_at" TIMESTAMPTZ,
    "quiet_until" TIMESTAMPTZ,
    "attempts" INT NOT NULL,
    "claim" UUID,
    "trace" VARCHAR(55),
    CONSTRAINT "card_push_pkey" PRIMARY KEY ("platform", "channel", "target")
) WITH (fillfactor = 70);
CREATE INDEX "card_push_due" ON "card_push" ("platform", "channel", "due_at") WHERE due_at IS NOT NULL;
CREATE TABLE "card_rollout" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "reason" VARCHAR(100) NOT NULL,
    "state" VARCHAR(10) NOT NULL,
    "total" INT NOT NULL,
    "marked" INT NOT NULL,
    "cursor" UUID,
    "begun_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ,
    CONSTRAINT "card_rollout_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE UNIQUE INDEX "card_rollout_open" ON "card_rollout" ("program_id") WHERE ended_at IS NULL;
CREATE TABLE "card_template" (
    "program_id" UUID NOT NULL,
    "name" VARCHAR(40) NOT NULL,
    "digest" VARCHAR(64) NOT NULL,
    CONSTRAINT "card_template_pkey" PRIMARY KEY ("program_id")
);
CREATE TABLE "checkpoint" (
    "program_id" UUID NOT NULL,
    "number" INT NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "heads" BIGINT NOT NULL,
    "transfers" BIGINT NOT NULL,
    "root" BYTEA NOT NULL,
    "previous" BYTEA,
    "public_key" BYTEA NOT NULL,
    "signature" BYTEA NOT NULL,
    CONSTRAINT "checkpoint_pkey" PRIMARY KEY ("program_id", "number")
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "checkpoint_refuses_change" BEFORE UPDATE OR DELETE ON "checkpoint" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "checkpoint_refuses_truncate" BEFORE TRUNCATE ON "checkpoint" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "checkpoint_head" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "number" INT NOT NULL,
    "sequence" INT NOT NULL,
    "hash" BYTEA NOT NULL,
    CONSTRAINT "checkpoint_head_pkey" PRIMARY KEY ("program_id", "member_id", "number")
);
CREATE INDEX "checkpoint_head_number" ON "checkpoint_head" ("program_id", "number");
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "checkpoint_head_refuses_change" BEFORE UPDATE OR DELETE ON "checkpoint_head" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "checkpoint_head_refuses_truncate" BEFORE TRUNCATE ON "checkpoint_head" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "consent" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "purpose" VARCHAR(20) NOT NULL,
    "granted" BOOL NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "source" VARCHAR(40) NOT NULL,
    CONSTRAINT "consent_pkey" PRIMARY KEY ("program_id", "member_id", "id")
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "consent_refuses_change" BEFORE UPDATE OR DELETE ON "consent" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "consent_refuses_truncate" BEFORE TRUNCATE ON "consent" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "earning_budget" (
    "rule" VARCHAR(30) NOT NULL,
    "program_id" UUID NOT NULL,
    "period" VARCHAR(20) NOT NULL,
    "used_points" BIGINT NOT NULL,
    CONSTRAINT "earning_budget_pkey" PRIMARY KEY ("program_id", "rule", "period"),
    CONSTRAINT "earning_budget_used_not_negative" CHECK (used_points >= 0)
) WITH (fillfactor = 50);
CREATE TABLE "earning_counter" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "rule" VARCHAR(30) NOT NULL,
    "period" VARCHAR(20) NOT NULL,
    "points" BIGINT NOT NULL,
    "times" INT NOT NULL,
    CONSTRAINT "earning_counter_pkey" PRIMARY KEY ("program_id", "member_id", "period", "rule")
) WITH (fillfactor = 70);
CREATE TABLE "earning_rules" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    CONSTRAINT "earning_rules_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "exchange_rate" (
    "currency" VARCHAR(3) NOT NULL,
    "program_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "rate" VARCHAR(22) NOT NULL,
    "imported_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "exchange_rate_pkey" PRIMARY KEY ("program_id", "currency", "day")
);
CREATE TABLE "expiry_notice" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "lot_sequence" INT NOT NULL,
    "points" BIGINT NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "told_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "expiry_notice_pkey" PRIMARY KEY ("program_id", "member_id", "lot_sequence", "expires_at"),
    CONSTRAINT "expiry_notice_of_points" CHECK (points > 0),
    CONSTRAINT "expiry_notice_ahead" CHECK (told_at < expires_at)
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "expiry_notice_refuses_change" BEFORE UPDATE OR DELETE ON "expiry_notice" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "expiry_notice_refuses_truncate" BEFORE TRUNCATE ON "expiry_notice" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "fact" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID,
    "kind" VARCHAR(40) NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "payload" JSON NOT NULL,
    "change" JSON,
    "sequence" BIGINT,
    CONSTRAINT "fact_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE UNIQUE INDEX "fact_sequence" ON "fact" ("program_id", "sequence") WHERE sequence IS NOT NULL;
CREATE INDEX "fact_unnumbered" ON "fact" ("id") WHERE sequence IS NULL;
CREATE INDEX "fact_to_audit" ON "fact" ("id") WHERE sequence IS NULL AND change IS NOT NULL;
CREATE INDEX "fact_of_member" ON "fact" ("program_id", "member_id", "sequence") WHERE sequence IS NOT NULL;
CREATE TABLE "fact_count" (
    "program_id" UUID NOT NULL,
    "highest" BIGINT NOT NULL,
    CONSTRAINT "fact_count_pkey" PRIMARY KEY ("program_id")
);
CREATE TABLE "google_bucket" (
    "issuer_id" VARCHAR(40) NOT NULL,
    "free_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "google_bucket_pkey" PRIMARY KEY ("issuer_id")
);
CREATE TABLE "google_callback" (
    "nonce_sha256" VARCHAR(64) NOT NULL,
    "serial" VARCHAR(32) NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "google_callback_pkey" PRIMARY KEY ("nonce_sha256")
);
CREATE INDEX "google_callback_of_pass" ON "google_callback" ("serial", "expires_at");
CREATE INDEX "google_callback_expiry" ON "google_callback" ("expires_at");
CREATE TABLE "google_class" (
    "class_id" VARCHAR(120) NOT NULL,
    "digest" VARCHAR(64) NOT NULL,
    "given_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "google_class_pkey" PRIMARY KEY ("class_id")
);
CREATE TABLE "google_object" (
    "serial" VARCHAR(32) NOT NULL,
    "program_id" UUID NOT NULL,
    "given" JSONB NOT NULL,
    "balance" BIGINT NOT NULL,
    "tier" TEXT,
    "points_expire_at" TIMESTAMPTZ,
    "notified" JSONB NOT NULL,
    CONSTRAINT "google_object_pkey" PRIMARY KEY ("program_id", "serial")
) WITH (fillfactor = 70);
CREATE TABLE "idempotency" (
    "key" VARCHAR(255) NOT NULL,
    "program_id" UUID NOT NULL,
    "caller" VARCHAR(80) NOT NULL,
    "input_hash" BYTEA NOT NULL,
    "result" JSON NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "idempotency_pkey" PRIMARY KEY ("program_id", "caller", "key")
);
CREATE TABLE "job" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "kind" VARCHAR(60) NOT NULL,
    "key" VARCHAR(120) NOT NULL,
    "due_at" TIMESTAMPTZ NOT NULL,
    "attempts" INT NOT NULL,
    "lease" UUID,
    "leased_until" TIMESTAMPTZ,
    "dead_at" TIMESTAMPTZ,
    "error" VARCHAR(100) NOT NULL,
    CONSTRAINT "job_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE UNIQUE INDEX "job_once" ON "job" ("program_id", "kind", "key");
CREATE INDEX "job_due" ON "job" ("kind", "due_at") WHERE dead_at IS NULL;
CREATE TABLE "lapse" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "lapses_at" TIMESTAMPTZ,
    CONSTRAINT "lapse_pkey" PRIMARY KEY ("program_id", "member_id", "id")
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "lapse_refuses_change" BEFORE UPDATE OR DELETE ON "lapse" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "lapse_refuses_truncate" BEFORE TRUNCATE ON "lapse" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "lease" (
    "name" VARCHAR(60) NOT NULL,
    "holder" UUID NOT NULL,
    "process" VARCHAR(100) NOT NULL,
    "fence" BIGINT NOT NULL,
    "until" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "lease_pkey" PRIMARY KEY ("name")
);
CREATE TABLE "ledger_audit" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "accounts" BIGINT NOT NULL,
    "transfers" BIGINT NOT NULL,
    "checkpoints" BIGINT NOT NULL,
    "differences" BIGINT NOT NULL,
    "findings" JSONB NOT NULL,
    CONSTRAINT "ledger_audit_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE TABLE "lot" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "sequence" INT NOT NULL,
    "points" BIGINT NOT NULL,
    "remaining_points" BIGINT NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "activates_at" TIMESTAMPTZ,
    "is_pending" BOOL NOT NULL,
    "told_expires_at" TIMESTAMPTZ,
    "awaits" VARCHAR(30),
    CONSTRAINT "lot_pkey" PRIMARY KEY ("program_id", "member_id", "sequence"),
    CONSTRAINT "lot_remaining_in_range" CHECK (remaining_points >= 0 AND remaining_points <= points)
) WITH (fillfactor = 80);
CREATE INDEX "lot_open" ON "lot" ("program_id", "member_id", "expires_at", "sequence") WHERE remaining_points > 0;
CREATE INDEX "lot_due" ON "lot" ("program_id", "expires_at") WHERE remaining_points > 0;
CREATE INDEX "lot_waiting" ON "lot" ("program_id", "is_pending", "activates_at") WHERE activates_at IS NOT NULL;
CREATE TABLE "lot_use" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "sequence" INT NOT NULL,
    "lot_sequence" INT NOT NULL,
    "points" BIGINT NOT NULL,
    CONSTRAINT "lot_use_pkey" PRIMARY KEY ("program_id", "member_id", "sequence", "lot_sequence"),
    CONSTRAINT "lot_use_moves_points" CHECK (points <> 0)
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "lot_use_refuses_change" BEFORE UPDATE OR DELETE ON "lot_use" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "lot_use_refuses_truncate" BEFORE TRUNCATE ON "lot_use" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "member" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "number" VARCHAR(12) NOT NULL,
    "status" VARCHAR(12) NOT NULL,
    "external_id" VARCHAR(100),
    "email" VARCHAR(254),
    "phone" VARCHAR(20),
    "first_name" VARCHAR(100),
    "last_name" VARCHAR(100),
    "birthday" DATE,
    "locale" VARCHAR(20) NOT NULL,
    "enrolled_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "member_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE INDEX "member_birthday" ON "member" ("program_id", "birthday") WHERE birthday IS NOT NULL;
CREATE INDEX "member_enrolled" ON "member" ("program_id", "enrolled_at");
CREATE TABLE "member_lock" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "reason" TEXT NOT NULL,
    "may_earn" BOOL NOT NULL,
    "locked_at" TIMESTAMPTZ NOT NULL,
    "actor" VARCHAR(80) NOT NULL,
    CONSTRAINT "member_lock_pkey" PRIMARY KEY ("program_id", "member_id")
);
CREATE TABLE "member_merge" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "into_id" UUID NOT NULL,
    "qualifying_points" BIGINT NOT NULL,
    "merged_at" TIMESTAMPTZ NOT NULL,
    "unmerged_at" TIMESTAMPTZ,
    CONSTRAINT "member_merge_pkey" PRIMARY KEY ("program_id", "member_id", "id")
);
CREATE INDEX "member_merged" ON "member_merge" ("program_id", "into_id");
CREATE TABLE "member_reference" (
    "value" VARCHAR(254) NOT NULL,
    "program_id" UUID NOT NULL,
    "kind" VARCHAR(12) NOT NULL,
    "member_id" UUID NOT NULL,
    CONSTRAINT "member_reference_pkey" PRIMARY KEY ("program_id", "kind", "value")
);
CREATE TABLE "member_subscription" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "plan_code" VARCHAR(30) NOT NULL,
    "plan_version" INT NOT NULL,
    "status" VARCHAR(12) NOT NULL,
    "started_at" TIMESTAMPTZ NOT NULL,
    "anchor_at" TIMESTAMPTZ NOT NULL,
    "period_start" TIMESTAMPTZ NOT NULL,
    "period_end" TIMESTAMPTZ NOT NULL,
    "periods" INT NOT NULL,
    "opened" INT NOT NULL,
    "is_trial" BOOL NOT NULL,
    "paid_minor" BIGINT NOT NULL,
    "credit_minor" BIGINT NOT NULL,
    "failed_attempts" INT NOT NULL,
    "paused_at" TIMESTAMPTZ,
    "cancelled_at" TIMESTAMPTZ,
    "ends_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    "next_step_at" TIMESTAMPTZ,
    "provider" VARCHAR(20),
    "card" VARCHAR(100),
    CONSTRAINT "member_subscription_pkey" PRIMARY KEY ("program_id", "member_id", "id"),
    CONSTRAINT "member_subscription_credit_not_negative" CHECK (credit_minor >= 0)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX "member_subscription_one" ON "member_subscription" ("program_id", "member_id") WHERE status <> 'EXPIRED';
CREATE INDEX "member_subscription_due" ON "member_subscription" ("program_id", "next_step_at", "id") WHERE next_step_at IS NOT NULL;
CREATE TABLE "member_subscription_past" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "plan_code" VARCHAR(30) NOT NULL,
    "plan_version" INT NOT NULL,
    "status" VARCHAR(12) NOT NULL,
    "started_at" TIMESTAMPTZ NOT NULL,
    "anchor_at" TIMESTAMPTZ NOT NULL,
    "period_start" TIMESTAMPTZ NOT NULL,
    "period_end" TIMESTAMPTZ NOT NULL,
    "periods" INT NOT NULL,
    "opened" INT NOT NULL,
    "is_trial" BOOL NOT NULL,
    "paid_minor" BIGINT NOT NULL,
    "credit_minor" BIGINT NOT NULL,
    "failed_attempts" INT NOT NULL,
    "paused_at" TIMESTAMPTZ,
    "cancelled_at" TIMESTAMPTZ,
    "ends_at" TIMESTAMPTZ,
    "ended_at" TIMESTAMPTZ,
    CONSTRAINT "member_subscription_past_pkey" PRIMARY KEY ("program_id", "member_id", "id", "recorded_at")
);
CREATE TABLE "member_summary" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "purchase_count" INT NOT NULL,
    "spend_minor" BIGINT NOT NULL,
    "last_purchase_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "member_summary_pkey" PRIMARY KEY ("program_id", "member_id")
) WITH (fillfactor = 70);
CREATE TABLE "offer_activation" (
    "offer" VARCHAR(30) NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "activated_at" TIMESTAMPTZ NOT NULL,
    "used" INT NOT NULL,
    "uses_left" INT NOT NULL,
    CONSTRAINT "offer_activation_pkey" PRIMARY KEY ("program_id", "member_id", "offer"),
    CONSTRAINT "offer_activation_uses_not_negative" CHECK (used >= 0 AND uses_left >= 0)
) WITH (fillfactor = 80);
CREATE TABLE "partner" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "name" VARCHAR(100) NOT NULL,
    "daily_points" BIGINT,
    "created_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "partner_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "partner_daily_points_not_negative" CHECK (daily_points >= 0)
);
CREATE UNIQUE INDEX "partner_program_id_name_key" ON "partner" ("program_id", "name");
CREATE TABLE "partner_issuance" (
    "partner_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "day" VARCHAR(10) NOT NULL,
    "issued_points" BIGINT NOT NULL,
    CONSTRAINT "partner_issuance_pkey" PRIMARY KEY ("program_id", "partner_id", "day"),
    CONSTRAINT "partner_issuance_not_negative" CHECK (issued_points >= 0)
) WITH (fillfactor = 50);
CREATE TABLE "pass" (
    "serial" VARCHAR(32) NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "platform" VARCHAR(8) NOT NULL,
    "token_generation" INT NOT NULL,
    "issued_at" TIMESTAMPTZ NOT NULL,
    "update_tag" BIGINT NOT NULL,
    "changed_at" TIMESTAMPTZ NOT NULL,
    "last_modified" TIMESTAMPTZ NOT NULL,
    "delivered_tag" BIGINT,
    "delivered_at" TIMESTAMPTZ,
    "stale_since" TIMESTAMPTZ NOT NULL,
    "holds_until" TIMESTAMPTZ,
    "handed_out_at" TIMESTAMPTZ,
    "handed_out_tag" BIGINT,
    "installed_at" TIMESTAMPTZ,
    "removed_at" TIMESTAMPTZ,
    "expires_at" TIMESTAMPTZ,
    "voided_at" TIMESTAMPTZ,
    CONSTRAINT "pass_pkey" PRIMARY KEY ("program_id", "member_id", "platform", "serial")
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX "pass_held" ON "pass" ("program_id", "member_id", "platform") WHERE voided_at IS NULL;
CREATE UNIQUE INDEX "pass_serial" ON "pass" ("serial");
CREATE INDEX "pass_holds_until" ON "pass" ("holds_until") WHERE holds_until IS NOT NULL;
CREATE TABLE "points_hold" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "state" VARCHAR(8) NOT NULL,
    "points" BIGINT NOT NULL,
    "captured_points" BIGINT NOT NULL,
    "entry_sequence" INT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "ends_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ,
    CONSTRAINT "points_hold_pkey" PRIMARY KEY ("program_id", "member_id", "id"),
    CONSTRAINT "points_hold_captured_in_range" CHECK (captured_points >= 0 AND captured_points <= points AND points > 0)
) WITH (fillfactor = 80);
CREATE INDEX "points_hold_open" ON "points_hold" ("program_id", "ends_at") WHERE state = 'HELD';
CREATE TABLE "points_transfer" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "recipient_id" UUID NOT NULL,
    "state" VARCHAR(8) NOT NULL,
    "points" BIGINT NOT NULL,
    "fee_points" BIGINT NOT NULL,
    "parts" JSONB NOT NULL,
    "sent_at" TIMESTAMPTZ NOT NULL,
    "settled_at" TIMESTAMPTZ,
    CONSTRAINT "points_transfer_pkey" PRIMARY KEY ("program_id", "member_id", "id"),
    CONSTRAINT "points_transfer_moves_points" CHECK (points > 0 AND fee_points >= 0)
) WITH (fillfactor = 90);
CREATE INDEX "points_transfer_sent" ON "points_transfer" ("program_id", "member_id", "sent_at");
CREATE INDEX "points_transfer_open" ON "points_transfer" ("program_id", "sent_at") WHERE state = 'SENT';
CREATE TABLE "program" (
    "id" UUID NOT NULL,
    "slug" VARCHAR(60) NOT NULL,
    "version" INT NOT NULL,
    "sandbox" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "program_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "program_slug_key" ON "program" ("slug");
CREATE TABLE "program_version" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    "file" JSONB NOT NULL,
    "in_force_from" TIMESTAMPTZ NOT NULL,
    "loaded_at" TIMESTAMPTZ NOT NULL,
    "source" TEXT,
    "actor" VARCHAR(80) NOT NULL,
    "note" TEXT NOT NULL,
    "change_count" INT,
    CONSTRAINT "program_version_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "purchase" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "source" VARCHAR(40) NOT NULL,
    "external_id" VARCHAR(100) NOT NULL,
    "store" VARCHAR(60),
    "channel" VARCHAR(12) NOT NULL,
    "purchased_at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "currency" VARCHAR(3) NOT NULL,
    "total_minor" BIGINT NOT NULL,
    "tax_minor" BIGINT NOT NULL,
    "paid_minor" BIGINT NOT NULL,
    "paid_points" BIGINT NOT NULL,
    "points" BIGINT NOT NULL,
    "entry_sequence" INT,
    "rule_version" INT NOT NULL,
    "payment" VARCHAR(20),
    "pinned" JSONB,
    "spend_minor" BIGINT NOT NULL,
    "exchange" JSONB,
    "state" VARCHAR(20) NOT NULL,
    CONSTRAINT "purchase_pkey" PRIMARY KEY ("program_id", "member_id", "id")
);
CREATE TABLE "purchase_line" (
    "purchase_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "number" SMALLINT NOT NULL,
    "product_type" VARCHAR(40) NOT NULL,
    "sku" VARCHAR(60),
    "quantity" INT NOT NULL,
    "unit_minor" BIGINT NOT NULL,
    "discount_minor" BIGINT NOT NULL,
    "tax_minor" BIGINT NOT NULL,
    "points" BIGINT NOT NULL,
    "refunded_quantity" INT NOT NULL,
    "paid_minor" BIGINT NOT NULL,
    "paid_points" BIGINT NOT NULL,
    "labels" JSONB,
    "reduced_minor" BIGINT NOT NULL,
    CONSTRAINT "purchase_line_pkey" PRIMARY KEY ("program_id", "member_id", "purchase_id", "number"),
    CONSTRAINT "purchase_line_quantity_positive" CHECK (quantity > 0),
    CONSTRAINT "purchase_line_refunded_in_range" CHECK (refunded_quantity >= 0 AND refunded_quantity <= quantity),
    CONSTRAINT "purchase_line_reduced_not_negative" CHECK (reduced_minor >= 0)
) WITH (fillfactor = 90);
CREATE TABLE "purchase_reference" (
    "external_id" VARCHAR(100) NOT NULL,
    "program_id" UUID NOT NULL,
    "source" VARCHAR(40) NOT NULL,
    "member_id" UUID NOT NULL,
    "purchase_id" UUID NOT NULL,
    CONSTRAINT "purchase_reference_pkey" PRIMARY KEY ("program_id", "source", "external_id")
);
CREATE TABLE "redemption" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "reward" VARCHAR(30) NOT NULL,
    "version" INT NOT NULL,
    "state" VARCHAR(10) NOT NULL,
    "points" BIGINT NOT NULL,
    "entry_sequence" INT NOT NULL,
    "store" VARCHAR(60),
    "held_until" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL,
    "issued_at" TIMESTAMPTZ,
    "expires_at" TIMESTAMPTZ,
    "used_at" TIMESTAMPTZ,
    "used_store" VARCHAR(60),
    "ended_at" TIMESTAMPTZ,
    "restocked" BOOL NOT NULL,
    "code_hash" BYTEA,
    "receipt_source" VARCHAR(40),
    "receipt_id" VARCHAR(100),
    CONSTRAINT "redemption_pkey" PRIMARY KEY ("program_id", "member_id", "id"),
    CONSTRAINT "redemption_points_positive" CHECK (points > 0)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX "redemption_code" ON "redemption" ("program_id", "code_hash") WHERE code_hash IS NOT NULL;
CREATE INDEX "redemption_stock" ON "redemption" ("program_id", "reward") WHERE NOT restocked;
CREATE INDEX "redemption_held" ON "redemption" ("program_id", "held_until") WHERE state = 'HELD';
CREATE INDEX "redemption_issued" ON "redemption" ("program_id", "expires_at") WHERE state = 'ISSUED';
CREATE TABLE "refund" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "purchase_id" UUID NOT NULL,
    "external_id" VARCHAR(100),
    "refunded_at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "amount_minor" BIGINT NOT NULL,
    "due_points" BIGINT NOT NULL,
    "clawed_back_points" BIGINT NOT NULL,
    "shortfall_points" BIGINT NOT NULL,
    "returned_minor" BIGINT NOT NULL,
    "returned_points" BIGINT NOT NULL,
    "spend_minor" BIGINT NOT NULL,
    "entry_sequence" INT,
    "is_void" BOOL NOT NULL,
    CONSTRAINT "refund_pkey" PRIMARY KEY ("program_id", "member_id", "purchase_id", "id"),
    CONSTRAINT "refund_points_add_up" CHECK (due_points = clawed_back_points + shortfall_points)
);
CREATE UNIQUE INDEX "refund_once" ON "refund" ("program_id", "member_id", "purchase_id", "external_id") WHERE external_id IS NOT NULL;
CREATE TABLE "refund_line" (
    "refund_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "number" SMALLINT NOT NULL,
    "quantity" INT NOT NULL,
    "amount_minor" BIGINT NOT NULL,
    CONSTRAINT "refund_line_pkey" PRIMARY KEY ("program_id", "member_id", "refund_id", "number"),
    CONSTRAINT "refund_line_something" CHECK (quantity >= 0 AND amount_minor >= 0 AND quantity + amount_minor > 0)
);
CREATE TABLE "reward_rules" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    CONSTRAINT "reward_rules_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "reward_stock" (
    "reward" VARCHAR(30) NOT NULL,
    "program_id" UUID NOT NULL,
    "taken" BIGINT NOT NULL,
    CONSTRAINT "reward_stock_pkey" PRIMARY KEY ("program_id", "reward"),
    CONSTRAINT "reward_stock_taken_not_negative" CHECK (taken >= 0)
) WITH (fillfactor = 50);
CREATE TABLE "schedule" (
    "kind" VARCHAR(60) NOT NULL,
    "program_id" UUID NOT NULL,
    "next_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "schedule_pkey" PRIMARY KEY ("program_id", "kind")
);
CREATE TABLE "segments" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    CONSTRAINT "segments_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "staff" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "name" VARCHAR(100) NOT NULL,
    "role" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "staff_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "staff_program_id_name_key" ON "staff" ("program_id", "name");
CREATE TABLE "subscription_payment" (
    "external_id" VARCHAR(100) NOT NULL,
    "program_id" UUID NOT NULL,
    "provider" VARCHAR(20) NOT NULL,
    "member_id" UUID NOT NULL,
    "subscription_id" UUID NOT NULL,
    "outcome" VARCHAR(10) NOT NULL,
    "amount_minor" BIGINT NOT NULL,
    "paid_at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "subscription_payment_pkey" PRIMARY KEY ("program_id", "provider", "external_id"),
    CONSTRAINT "subscription_payment_amount_positive" CHECK (amount_minor > 0)
);
CREATE INDEX "subscription_payment_of" ON "subscription_payment" ("program_id", "subscription_id");
CREATE TABLE "subscription_period" (
    "subscription_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "number" INT NOT NULL,
    "starts_at" TIMESTAMPTZ NOT NULL,
    "ends_at" TIMESTAMPTZ NOT NULL,
    "plan_code" VARCHAR(30) NOT NULL,
    "plan_version" INT NOT NULL,
    CONSTRAINT "subscription_period_pkey" PRIMARY KEY ("program_id", "member_id", "subscription_id", "number")
);
CREATE TABLE "subscription_plans" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    CONSTRAINT "subscription_plans_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "subscription_saving" (
    "reference" VARCHAR(100) NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "subscription_id" UUID NOT NULL,
    "benefit" VARCHAR(30) NOT NULL,
    "saved_minor" BIGINT NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "subscription_saving_pkey" PRIMARY KEY ("program_id", "member_id", "reference"),
    CONSTRAINT "subscription_saving_positive" CHECK (saved_minor > 0)
);
CREATE INDEX "subscription_saving_of" ON "subscription_saving" ("program_id", "subscription_id");
CREATE TABLE "tier_change" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "sequence" INT NOT NULL,
    "kind" VARCHAR(16) NOT NULL,
    "tier_before" VARCHAR(30),
    "tier_after" VARCHAR(30),
    "at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "rule_version" INT NOT NULL,
    "actor" VARCHAR(80) NOT NULL,
    "reason" TEXT NOT NULL,
    CONSTRAINT "tier_change_pkey" PRIMARY KEY ("program_id", "member_id", "sequence")
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "tier_change_refuses_change" BEFORE UPDATE OR DELETE ON "tier_change" FOR EACH ROW EXECUTE FUNCTION "refuse_change"('{"reason": ""}');
CREATE TRIGGER "tier_change_refuses_truncate" BEFORE TRUNCATE ON "tier_change" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "tier_rules" (
    "program_id" UUID NOT NULL,
    "version" INT NOT NULL,
    "settings" JSONB NOT NULL,
    CONSTRAINT "tier_rules_pkey" PRIMARY KEY ("program_id", "version")
);
CREATE TABLE "tier_standing" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "earned" VARCHAR(30),
    "ends_on" DATE,
    "since" TIMESTAMPTZ,
    "override" VARCHAR(30),
    "override_until" TIMESTAMPTZ,
    "measure" VARCHAR(40) NOT NULL,
    "amounts" JSONB NOT NULL,
    "sequence" INT NOT NULL,
    "review_at" TIMESTAMPTZ,
    CONSTRAINT "tier_standing_pkey" PRIMARY KEY ("program_id", "member_id")
) WITH (fillfactor = 70);
CREATE INDEX "tier_review_due" ON "tier_standing" ("program_id", "review_at") WHERE review_at IS NOT NULL;
CREATE TABLE "tier_standing_past" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "earned" VARCHAR(30),
    "ends_on" DATE,
    "since" TIMESTAMPTZ,
    "override" VARCHAR(30),
    "override_until" TIMESTAMPTZ,
    CONSTRAINT "tier_standing_past_pkey" PRIMARY KEY ("program_id", "member_id", "recorded_at")
);
CREATE TABLE "transfer" (
    "member_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "sequence" INT NOT NULL,
    "kind" VARCHAR(12) NOT NULL,
    "debit" VARCHAR(12) NOT NULL,
    "credit" VARCHAR(12) NOT NULL,
    "points" BIGINT NOT NULL,
    "qualifying_points" BIGINT NOT NULL,
    "balance_after" BIGINT NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "reference" VARCHAR(80) NOT NULL,
    "rule_version" INT,
    "text" TEXT NOT NULL,
    "actor" VARCHAR(80) NOT NULL,
    "explanation" JSON,
    "salt" BYTEA NOT NULL,
    "details_hash" BYTEA NOT NULL,
    "hash" BYTEA NOT NULL,
    CONSTRAINT "transfer_pkey" PRIMARY KEY ("program_id", "member_id", "sequence"),
    CONSTRAINT "transfer_moves_something" CHECK (points > 0 OR (points = 0 AND qualifying_points <> 0)),
    CONSTRAINT "transfer_two_accounts" CHECK (debit <> credit)
);
CREATE UNIQUE INDEX "transfer_once" ON "transfer" ("program_id", "kind", "reference", "member_id");
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "transfer_refuses_change" BEFORE UPDATE OR DELETE ON "transfer" FOR EACH ROW EXECUTE FUNCTION "refuse_change"('{"text": "", "actor": "", "explanation": null, "salt": "\\x"}');
CREATE TRIGGER "transfer_refuses_truncate" BEFORE TRUNCATE ON "transfer" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "unclaimed_receipt" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "code_hash" BYTEA NOT NULL,
    "source" VARCHAR(40) NOT NULL,
    "external_id" VARCHAR(100) NOT NULL,
    "receipt" JSONB NOT NULL,
    "purchased_at" TIMESTAMPTZ NOT NULL,
    "recorded_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "purchase_id" UUID,
    "voided_at" TIMESTAMPTZ,
    CONSTRAINT "unclaimed_receipt_pkey" PRIMARY KEY ("program_id", "id")
);
CREATE UNIQUE INDEX "unclaimed_receipt_code" ON "unclaimed_receipt" ("program_id", "code_hash");
CREATE TABLE "update_tag" (
    "name" VARCHAR(8) NOT NULL,
    "highest" BIGINT NOT NULL,
    CONSTRAINT "update_tag_pkey" PRIMARY KEY ("name")
);
CREATE TABLE "voucher" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "face_minor" BIGINT NOT NULL,
    "remaining_minor" BIGINT NOT NULL,
    "issued_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ,
    CONSTRAINT "voucher_pkey" PRIMARY KEY ("program_id", "member_id", "id"),
    CONSTRAINT "voucher_remaining_in_range" CHECK (remaining_minor >= 0 AND remaining_minor <= face_minor)
) WITH (fillfactor = 80);
CREATE INDEX "voucher_open" ON "voucher" ("program_id", "expires_at") WHERE state IN ('ACTIVE', 'PARTIALLY_USED');
CREATE TABLE "voucher_use" (
    "voucher_id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "member_id" UUID NOT NULL,
    "number" INT NOT NULL,
    "amount_minor" BIGINT NOT NULL,
    "of_number" INT,
    "at" TIMESTAMPTZ NOT NULL,
    "store" VARCHAR(60),
    "reference" VARCHAR(100) NOT NULL,
    "receipt_source" VARCHAR(40),
    "receipt_id" VARCHAR(100),
    CONSTRAINT "voucher_use_pkey" PRIMARY KEY ("program_id", "member_id", "voucher_id", "number"),
    CONSTRAINT "voucher_use_moves_money" CHECK (amount_minor <> 0)
);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS = 1 THEN
        IF to_jsonb(NEW) = to_jsonb(OLD) || TG_ARGV[0]::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: its rows are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "voucher_use_refuses_change" BEFORE UPDATE OR DELETE ON "voucher_use" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "voucher_use_refuses_truncate" BEFORE TRUNCATE ON "voucher_use" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TABLE "api_token" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "name" VARCHAR(100) NOT NULL,
    "prefix" VARCHAR(8) NOT NULL,
    "last_four" VARCHAR(4) NOT NULL,
    "token_sha256" VARCHAR(64) NOT NULL,
    "scopes" JSONB NOT NULL,
    "store" VARCHAR(60),
    "daily_points" BIGINT,
    "created_at" TIMESTAMPTZ NOT NULL,
    "last_used_at" TIMESTAMPTZ,
    "expires_at" TIMESTAMPTZ,
    "revoked_at" TIMESTAMPTZ,
    "partner_id" UUID,
    "staff_id" UUID,
    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "api_token_has_one_owner" CHECK ((partner_id IS NULL) <> (staff_id IS NULL)),
    CONSTRAINT "api_token_partner_id_fkey" FOREIGN KEY ("partner_id") REFERENCES "partner" ("id") ON DELETE RESTRICT,
    CONSTRAINT "api_token_staff_id_fkey" FOREIGN KEY ("staff_id") REFERENCES "staff" ("id") ON DELETE RESTRICT
);
CREATE UNIQUE INDEX "api_token_token_sha256_key" ON "api_token" ("token_sha256");
