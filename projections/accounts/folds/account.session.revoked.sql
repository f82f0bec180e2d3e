-- without a session it ends every one that the account had by then
WITH revoked AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, account_id uuid, session_id uuid, reason text
    )
), every AS (
    INSERT INTO _logouts AS t (account_id, revoked_at, reason, _revoked)
    SELECT DISTINCT ON (account_id) account_id, _time, reason, _offset
    FROM revoked WHERE session_id IS NULL ORDER BY account_id, _offset DESC
    ON CONFLICT (account_id) DO UPDATE SET
        revoked_at = excluded.revoked_at,
        reason = excluded.reason,
        _revoked = excluded._revoked
    WHERE excluded._revoked > t._revoked
)
INSERT INTO _sessions AS t (session_id, account_id, revoked_at, reason, _revoked)
SELECT DISTINCT ON (session_id) session_id, account_id, _time, reason, _offset
FROM revoked WHERE session_id IS NOT NULL ORDER BY session_id, _offset
ON CONFLICT (session_id) DO UPDATE SET
    revoked_at = excluded.revoked_at,
    reason = excluded.reason,
    _revoked = excluded._revoked
WHERE t._revoked IS NULL;
