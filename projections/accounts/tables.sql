CREATE TABLE accounts (
    account_id    uuid PRIMARY KEY,
    tenant_id     text,
    email         text,
    email_claim   text,
    display_name  text,
    role          text,
    plan          text,
    origin        text,
    verified      boolean NOT NULL DEFAULT false,
    suspended     boolean NOT NULL DEFAULT false,
    second_factor boolean NOT NULL DEFAULT false,
    deleted       boolean NOT NULL DEFAULT false,
    created_at    timestamptz,
    password_changed_at timestamptz,
    _email        bigint NOT NULL DEFAULT -1,
    _display_name bigint NOT NULL DEFAULT -1,
    _role         bigint NOT NULL DEFAULT -1,
    _plan         bigint NOT NULL DEFAULT -1,
    _suspended    bigint NOT NULL DEFAULT -1,
    _verified     bigint NOT NULL DEFAULT -1,
    _second_factor bigint NOT NULL DEFAULT -1,
    _password     bigint NOT NULL DEFAULT -1,
    _created      bigint
);

CREATE TABLE tenants (
    tenant_id  text PRIMARY KEY,
    owner_id   text NOT NULL,
    name       text,
    plan       text,
    created_at timestamptz,
    _name      bigint NOT NULL DEFAULT -1,
    _created   bigint
);

CREATE TABLE _sessions (
    session_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    kind       text,
    user_agent text,
    address    text,
    created_at timestamptz,
    revoked_at timestamptz,
    reason     text,
    _created   bigint,
    _revoked   bigint
);

-- the last time that all sessions of an account were ended
CREATE TABLE _logouts (
    account_id uuid PRIMARY KEY,
    revoked_at timestamptz NOT NULL,
    reason     text NOT NULL,
    _revoked   bigint NOT NULL
);

CREATE TABLE api_keys (
    key_id     uuid PRIMARY KEY,
    account_id uuid,
    name       text,
    scopes     text[],
    expires_at timestamptz,
    created_at timestamptz,
    revoked_at timestamptz,
    _created   bigint,
    _revoked   bigint
);

CREATE TABLE _claims (
    claim_hash text PRIMARY KEY,
    kind       text NOT NULL,
    holder     text,
    version    int,
    changed_at timestamptz NOT NULL,
    _changed   bigint NOT NULL
);
