-- two tenants may use one name
CREATE TABLE artifacts (
    owner_id    text NOT NULL,
    artifact_id text NOT NULL,
    tenant_id   text,
    kind        text,
    name        text,
    description text,
    version     int,
    body        jsonb,
    archived    boolean NOT NULL DEFAULT false,
    created_at  timestamptz,
    updated_at  timestamptz,
    _name       bigint NOT NULL DEFAULT -1,
    _body       bigint NOT NULL DEFAULT -1,
    _archived   bigint NOT NULL DEFAULT -1,
    _created    bigint,
    PRIMARY KEY (owner_id, artifact_id)
);

CREATE TABLE artifact_versions (
    owner_id    text NOT NULL,
    artifact_id text NOT NULL,
    version     int NOT NULL,
    -- created, patched or rolled_back
    origin      text NOT NULL,
    body        jsonb,
    operations  jsonb,
    patch_id    uuid,
    to_version  int,
    "by"        text,
    actor       text NOT NULL,
    reason      text,
    event_id    uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    _created    bigint NOT NULL,
    PRIMARY KEY (owner_id, artifact_id, version)
);

CREATE TABLE patches (
    patch_id        uuid PRIMARY KEY,
    owner_id        text,
    artifact_id     text,
    base_version    int,
    operations      jsonb,
    rationale       text,
    source          text,
    actor           text,
    -- approved or rejected
    decision        text,
    decided_by      text,
    reason          text,
    decided_at      timestamptz,
    applied_version int,
    applied_at      timestamptz,
    backtest_turns  int,
    backtest_changed int,
    backtest_report jsonb,
    proposed_at     timestamptz,
    _decided        bigint NOT NULL DEFAULT -1,
    _applied        bigint NOT NULL DEFAULT -1,
    _backtest       bigint NOT NULL DEFAULT -1,
    _created        bigint
);
