CREATE TABLE conversations (
    conversation_id uuid PRIMARY KEY,
    owner_id        uuid,
    tenant_id       text,
    title           text,
    origin          text,
    archived        boolean NOT NULL DEFAULT false,
    deleted         boolean NOT NULL DEFAULT false,
    message_count   int NOT NULL DEFAULT 0,
    last_message_at timestamptz,
    created_at      timestamptz,
    _title          bigint NOT NULL DEFAULT -1,
    _archived       bigint NOT NULL DEFAULT -1,
    _created        bigint
) WITH (fillfactor = 70);

CREATE TABLE messages (
    message_id           uuid PRIMARY KEY,
    conversation_id      uuid NOT NULL,
    owner_id             uuid NOT NULL,
    tenant_id            text NOT NULL,
    parent_id            uuid,
    role                 text NOT NULL,
    content              text,
    turn_id              uuid NOT NULL,
    client_id            uuid,
    edited_from          uuid,
    regenerated_from     uuid,
    assistant_message_id uuid,
    status               text NOT NULL,
    options              jsonb,
    attachments          jsonb,
    trace                jsonb,
    citations            jsonb,
    usage                jsonb,
    created_at           timestamptz NOT NULL,
    partition            int NOT NULL,
    "offset"             bigint NOT NULL
);
