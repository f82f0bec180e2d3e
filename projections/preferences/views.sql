-- what was deleted comes back only with evidence that came after; each new sign makes it surer (noisy or)
CREATE VIEW read.preferences AS
SELECT
    p.preference_id, p.owner_id, p.tenant_id,
    CASE WHEN p._own > p._deleted THEN p.own_statement ELSE p.statement END AS statement,
    p.dimension, CASE WHEN p._own > p._deleted THEN p.own_value ELSE p.value END AS value, p.polarity,
    d.detector, d.rule, d.confidence, d.seen, d.evidence, d.conversation_id, d.message_id,
    CASE WHEN p._answer > p._deleted THEN p.answer ELSE 'open' END AS answer,
    p.active OR p._active < p._deleted AS active, d.created_at, d.last_seen_at
FROM _preferences p CROSS JOIN LATERAL (
    SELECT
        (array_agg(detector ORDER BY _created DESC))[1] AS detector,
        (array_agg(rule ORDER BY _created DESC))[1] AS rule,
        (array_agg(conversation_id ORDER BY _created DESC))[1] AS conversation_id,
        (array_agg(message_id ORDER BY _created DESC))[1] AS message_id,
        1 - exp(sum(ln(greatest(1 - confidence, 0.01)))) AS confidence,
        count(*)::int AS seen,
        ARRAY(
            SELECT id FROM _detections one, unnest(one.evidence) AS id
            WHERE one.preference_id = p.preference_id AND one._created > p._deleted
            GROUP BY id ORDER BY min(one._created), id
        ) AS evidence,
        min(detected_at) AS created_at, max(detected_at) AS last_seen_at
    FROM _detections WHERE preference_id = p.preference_id AND _created > p._deleted
) d
WHERE p._created IS NOT NULL AND d.seen > 0;

-- every sign of every wish by the event that told it, deleted ones too
CREATE VIEW read.preference_signs AS
SELECT preference_id, event_id, rule, confidence, detected_at FROM _detections;
