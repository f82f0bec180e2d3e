-- What can't be derived from the log: the keys that make its personal fields readable.
CREATE SCHEMA vault;

CREATE TABLE vault.master_key (
    id          int PRIMARY KEY CHECK (id = 1),
    fingerprint bytea NOT NULL
);
COMMENT ON TABLE vault.master_key IS 'Keyed hash that only the right master key reproduces.';

CREATE TABLE vault.data_keys (
    owner      text PRIMARY KEY,
    wrapped    bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at  timestamptz,
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);
COMMENT ON TABLE vault.data_keys IS
    'One AES-256 key per owner, wrapped by the master key (nonce | ciphertext | tag); null once erased.';
