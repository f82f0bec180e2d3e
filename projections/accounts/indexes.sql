CREATE INDEX accounts_by_tenant ON accounts (tenant_id);
CREATE INDEX sessions_by_account ON _sessions (account_id);
CREATE INDEX api_keys_by_account ON api_keys (account_id);
CREATE INDEX claims_by_kind ON _claims (kind);
