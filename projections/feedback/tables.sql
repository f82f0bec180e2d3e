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

CREATE TABLE preferences (
    preference_id   uuid PRIMARY KEY,
    owner_id        uuid,
    tenant_id       text,
    conversation_id uuid,
    message_id      uuid,
    statement       text,
    dimension       text,
    value           text,
    polarity        text,
    detector        text,
    rule            text,
    confidence      double precision,
    evidence        uuid[],
    -- open, confirmed or corrected, as the person answered last
    answer          text NOT NULL DEFAULT 'open',
    active          boolean NOT NULL DEFAULT true,
    deleted         boolean NOT NULL DEFAULT false,
    created_at      timestamptz,
    _statement      bigint NOT NULL DEFAULT -1,
    _answer         bigint NOT NULL DEFAULT -1,
    _active         bigint NOT NULL DEFAULT -1,
    _created        bigint
);
