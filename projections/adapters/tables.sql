CREATE TABLE adapters (
    adapter_id      uuid PRIMARY KEY,
    owner_id        text,
    tenant_id       text,
    name            text,
    kind            text,
    scope           text,
    subject         text,
    skill_id        uuid,
    base_model      text,
    -- what answers are made with; null for the base model alone
    serving_version int,
    active          boolean NOT NULL DEFAULT true,
    retired         boolean NOT NULL DEFAULT false,
    created_at      timestamptz,
    serving_since   timestamptz,
    _serving        bigint NOT NULL DEFAULT -1,
    _active         bigint NOT NULL DEFAULT -1,
    _created        bigint
);

CREATE TABLE adapter_versions (
    adapter_id       uuid NOT NULL,
    version          int NOT NULL,
    owner_id         text,
    run_id           uuid,
    weights_hash     text,
    weights_size     bigint,
    content_hash     text,
    base_model       text,
    base_hash        text,
    rank             int,
    alpha            double precision,
    targets          text[],
    parent_version   int,
    dataset_hash     text,
    feedback_ids     uuid[],
    trained_at       timestamptz,
    passed           boolean,
    figures          jsonb,
    baseline_version int,
    examples         int,
    regressions      int,
    report           jsonb,
    seed             bigint,
    evaluated_at     timestamptz,
    -- promoted, rejected or rolled_back; null while it waits for its gate
    decision         text,
    decided_by       text,
    reasons          text[],
    reason           text,
    decided_at       timestamptz,
    _evaluated       bigint NOT NULL DEFAULT -1,
    _decided         bigint NOT NULL DEFAULT -1,
    _created         bigint,
    PRIMARY KEY (adapter_id, version)
);

-- lineage, readable both ways
CREATE TABLE adapter_feedback (
    adapter_id  uuid NOT NULL,
    version     int NOT NULL,
    feedback_id uuid NOT NULL,
    -- it was withdrawn, so this version is to be trained again without it
    withdrawn   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (adapter_id, version, feedback_id)
);
