-- whose every piece of evidence is, and which way it points; its words are in other read models
CREATE TABLE _evidence (
    evidence_id     uuid PRIMARY KEY,
    owner_id        uuid,
    tenant_id       text,
    kind            text,
    conversation_id uuid,
    message_id      uuid,
    value           int,
    partition       int,
    -- feedback that was withdrawn, anything that was erased: for good
    withdrawn       boolean NOT NULL DEFAULT false,
    -- a preference that the person put off
    active          boolean NOT NULL DEFAULT true,
    created_at      timestamptz,
    _created        bigint,
    _judged         bigint NOT NULL DEFAULT -1,
    _seen           bigint NOT NULL DEFAULT -1,
    _gone           bigint NOT NULL DEFAULT -1,
    _active         bigint NOT NULL DEFAULT -1
);

CREATE TABLE _clusters (
    cluster_id  uuid PRIMARY KEY,
    owner_id    text,
    tenant_id   text,
    scope       text,
    subject     text,
    centroid    real[],
    label       text,
    source      text,
    words       text[] NOT NULL DEFAULT '{}',
    -- what a person called it stays, whatever is found later
    named       text,
    -- split, merged or died
    ended       text,
    ended_into  uuid[],
    ended_at    timestamptz,
    formed_at   timestamptz,
    changed_at  timestamptz,
    labelled_at timestamptz,
    _created    bigint,
    _centroid   bigint NOT NULL DEFAULT -1,
    _label      bigint NOT NULL DEFAULT -1,
    _named      bigint NOT NULL DEFAULT -1,
    _ended      bigint NOT NULL DEFAULT -1
);

CREATE TABLE _members (
    cluster_id  uuid NOT NULL,
    evidence_id uuid NOT NULL,
    present     boolean NOT NULL,
    since       timestamptz NOT NULL,
    _changed    bigint NOT NULL,
    PRIMARY KEY (cluster_id, evidence_id)
);

CREATE TABLE _runs (
    run_id       uuid PRIMARY KEY,
    owner_id     text,
    tenant_id    text,
    scope        text,
    subject      text,
    positions    jsonb,
    algorithm    text,
    parameters   jsonb,
    seed         bigint,
    points       int,
    clusters     int,
    changes      jsonb,
    decided_at   timestamptz,
    completed_at timestamptz,
    _decided     bigint,
    _completed   bigint
);

CREATE TABLE _points (
    owner_id    text NOT NULL,
    evidence_id uuid NOT NULL,
    run_id      uuid NOT NULL,
    x           real,
    y           real,
    _mapped     bigint NOT NULL,
    PRIMARY KEY (owner_id, evidence_id)
);
