-- Credentials are not derived from the log: a secret never enters it. They are backed up with the vault.

CREATE TABLE vault.credentials (
    account_id    uuid PRIMARY KEY,
    -- keyed hash of the normalised e-mail address, so that a copy of this table names nobody
    email_hash    bytea NOT NULL,
    password_hash text NOT NULL,
    -- pending until the e-mail's claim is won and the account is on the log
    pending       boolean NOT NULL DEFAULT true,
    suspended     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX credentials_email ON vault.credentials (email_hash) WHERE NOT pending;

CREATE TABLE vault.sessions (
    id               uuid PRIMARY KEY,
    token_hash       bytea NOT NULL UNIQUE,
    account_id       uuid NOT NULL REFERENCES vault.credentials ON DELETE CASCADE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    authenticated_at timestamptz NOT NULL DEFAULT now(),
    last_used_at     timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    user_agent       text NOT NULL,
    address          text NOT NULL
);

CREATE INDEX sessions_account ON vault.sessions (account_id);

CREATE TABLE vault.token_families (
    id               uuid PRIMARY KEY,
    account_id       uuid NOT NULL REFERENCES vault.credentials ON DELETE CASCADE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    authenticated_at timestamptz NOT NULL DEFAULT now(),
    last_used_at     timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    user_agent       text NOT NULL,
    address          text NOT NULL,
    -- a revoked family stays until it would have expired, so that its tokens are known when replayed
    revoked_at       timestamptz
);

CREATE INDEX token_families_account ON vault.token_families (account_id);

CREATE TABLE vault.refresh_tokens (
    token_hash bytea PRIMARY KEY,
    family_id  uuid NOT NULL REFERENCES vault.token_families ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);

CREATE INDEX refresh_tokens_family ON vault.refresh_tokens (family_id);

CREATE TABLE vault.api_keys (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES vault.credentials ON DELETE CASCADE,
    key_hash     bytea NOT NULL UNIQUE,
    hint         text NOT NULL,
    name         text NOT NULL,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at   timestamptz
);

CREATE INDEX api_keys_account ON vault.api_keys (account_id);

CREATE TABLE vault.second_factors (
    account_id   uuid PRIMARY KEY REFERENCES vault.credentials ON DELETE CASCADE,
    -- sealed with a key derived from the master key
    secret       text NOT NULL,
    confirmed_at timestamptz,
    -- the last time step that was accepted: a code works once (RFC 6238 §5.2)
    last_step    bigint NOT NULL DEFAULT 0
);

CREATE TABLE vault.recovery_codes (
    account_id uuid NOT NULL REFERENCES vault.credentials ON DELETE CASCADE,
    code_hash  bytea NOT NULL,
    PRIMARY KEY (account_id, code_hash)
);

CREATE TABLE vault.signing_keys (
    kid         text PRIMARY KEY,
    -- Ed25519, sealed with a key derived from the master key
    private_key text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- signs nothing any more from then on, and verifies until its tokens have expired
    retired_at  timestamptz
);
