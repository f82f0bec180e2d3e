CREATE TABLE _preferences (
    preference_id uuid PRIMARY KEY,
    owner_id      uuid,
    tenant_id     text,
    statement     text,
    dimension     text,
    value         text,
    polarity      text,
    -- the person's own words, which win over the detector's
    own_statement text,
    own_value     text,
    -- confirmed or corrected
    answer        text,
    active        boolean NOT NULL DEFAULT true,
    _created      bigint,
    _detected     bigint NOT NULL DEFAULT -1,
    _own          bigint NOT NULL DEFAULT -1,
    _answer       bigint NOT NULL DEFAULT -1,
    _active       bigint NOT NULL DEFAULT -1,
    _deleted      bigint NOT NULL DEFAULT -1
);

-- a detection is known by its event: from the same evidence it is never news
CREATE TABLE _detections (
    preference_id   uuid NOT NULL,
    event_id        uuid NOT NULL,
    conversation_id uuid,
    message_id      uuid,
    detector        text NOT NULL,
    rule            text,
    confidence      double precision NOT NULL,
    evidence        uuid[] NOT NULL,
    detected_at     timestamptz NOT NULL,
    _created        bigint NOT NULL,
    PRIMARY KEY (preference_id, event_id)
);
