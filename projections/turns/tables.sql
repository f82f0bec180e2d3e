CREATE TABLE _requests (
    turn_id              uuid PRIMARY KEY,
    conversation_id      uuid NOT NULL,
    owner_id             uuid NOT NULL,
    tenant_id            text NOT NULL,
    kind                 text NOT NULL,
    user_message_id      uuid NOT NULL,
    assistant_message_id uuid,
    regenerated_from     uuid,
    requested_at         timestamptz NOT NULL,
    _requested           bigint NOT NULL
);

CREATE TABLE _routes (
    turn_id          uuid PRIMARY KEY,
    owner_id         uuid NOT NULL,
    model            text NOT NULL,
    backend          text NOT NULL,
    adapters         jsonb NOT NULL,
    policy_id        text,
    policy_version   int,
    rules            jsonb NOT NULL,
    workflow_id      text,
    workflow_version int,
    seed             bigint NOT NULL,
    sampling         jsonb NOT NULL,
    instructions     jsonb NOT NULL,
    context_ids      uuid[] NOT NULL,
    facts            jsonb,
    shadow           jsonb,
    summary_version  int,
    routed_at        timestamptz NOT NULL,
    _routed          bigint NOT NULL
);

CREATE TABLE _outcomes (
    turn_id       uuid PRIMARY KEY,
    state         text NOT NULL,
    message_id    uuid,
    ended_by      text,
    error_code    text,
    error_message text,
    retryable     boolean,
    timings       jsonb,
    ended_at      timestamptz NOT NULL,
    _ended        bigint NOT NULL
);

CREATE TABLE tool_calls (
    call_id         uuid PRIMARY KEY,
    turn_id         uuid,
    conversation_id uuid,
    owner_id        uuid,
    tool            text,
    tool_version    int,
    arguments       jsonb,
    called_at       timestamptz,
    ok              boolean,
    result          jsonb,
    error_code      text,
    finished_at     timestamptz,
    _created        bigint,
    _finished       bigint
);
