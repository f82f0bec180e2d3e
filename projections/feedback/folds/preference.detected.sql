INSERT INTO preferences AS t (
    preference_id, owner_id, tenant_id, conversation_id, message_id, statement, dimension, value, polarity,
    detector, rule, confidence, evidence, created_at, _statement, _created
)
SELECT DISTINCT ON (preference_id)
    preference_id, _owner, _tenant, conversation_id, message_id, statement, dimension, value,
    coalesce(polarity, 'like'), detector, rule, confidence, coalesce(evidence, '{}'), _time, _offset, _offset
FROM json_to_recordset($1::json) AS e (
    _offset bigint, _time timestamptz, _owner uuid, _tenant text, preference_id uuid, conversation_id uuid,
    message_id uuid, statement text, dimension text, value text, polarity text, detector text, rule text,
    confidence double precision, evidence uuid[]
)
ORDER BY preference_id, _offset
ON CONFLICT (preference_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    conversation_id = excluded.conversation_id,
    message_id = excluded.message_id,
    statement = CASE WHEN excluded._statement > t._statement THEN excluded.statement ELSE t.statement END,
    dimension = excluded.dimension,
    value = CASE WHEN excluded._statement > t._statement THEN excluded.value ELSE t.value END,
    polarity = excluded.polarity,
    detector = excluded.detector,
    rule = excluded.rule,
    confidence = excluded.confidence,
    evidence = excluded.evidence,
    created_at = excluded.created_at,
    _statement = greatest(t._statement, excluded._statement),
    _created = excluded._created
WHERE t._created IS NULL;
