CREATE TABLE feedback (
    feedback_id     uuid PRIMARY KEY,
    owner_id        uuid,
    tenant_id       text,
    conversation_id uuid,
    message_id      uuid,
    turn_id         uuid,
    kind            text,
    value           int,
    text            text,
    withdrawn       boolean NOT NULL DEFAULT false,
    created_at      timestamptz,
    updated_at      timestamptz,
    _judged         bigint NOT NULL DEFAULT -1,
    _created        bigint
);
