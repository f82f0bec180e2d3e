CREATE VIEW read.sessions AS
SELECT
    s.session_id, s.account_id, s.kind, s.user_agent, s.address, s.created_at,
    coalesce(s.revoked_at, l.revoked_at) AS revoked_at, coalesce(s.reason, l.reason) AS reason
FROM _sessions s LEFT JOIN _logouts l ON l.account_id = s.account_id AND l._revoked > s._created
WHERE s._created IS NOT NULL;

-- a claim that was given up is nobody's
CREATE VIEW read.claims AS
SELECT claim_hash, kind, holder, version, changed_at AS claimed_at FROM _claims WHERE holder IS NOT NULL;
