WITH detected AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _id text, _offset bigint, _time timestamptz, _owner uuid, _tenant text, preference_id uuid,
        conversation_id uuid, message_id uuid, statement text, dimension text, value text, polarity text,
        detector text, rule text, confidence double precision, evidence uuid[]
    )
), signs AS (
    INSERT INTO _detections (
        preference_id, event_id, conversation_id, message_id, detector, rule, confidence, evidence, detected_at,
        _created
    )
    SELECT DISTINCT ON (preference_id, _id)
        preference_id, _id::uuid, conversation_id, message_id, detector, rule, confidence,
        coalesce(evidence, '{}'), _time, _offset
    FROM detected ORDER BY preference_id, _id, _offset
    ON CONFLICT DO NOTHING
), firsts AS (
    SELECT preference_id, min(_offset) AS first FROM detected GROUP BY preference_id
)
INSERT INTO _preferences AS t (
    preference_id, owner_id, tenant_id, statement, dimension, value, polarity, _created, _detected
)
SELECT DISTINCT ON (preference_id)
    preference_id, _owner, _tenant, statement, dimension, value, coalesce(polarity, 'like'), first, _offset
FROM detected JOIN firsts USING (preference_id)
ORDER BY preference_id, _offset DESC
ON CONFLICT (preference_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    statement = excluded.statement,
    dimension = excluded.dimension,
    value = excluded.value,
    polarity = excluded.polarity,
    _created = coalesce(t._created, excluded._created),
    _detected = excluded._detected
WHERE excluded._detected > t._detected;
