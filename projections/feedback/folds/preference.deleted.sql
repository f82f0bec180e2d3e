INSERT INTO preferences (preference_id, deleted)
SELECT DISTINCT preference_id, true FROM json_to_recordset($1::json) AS e (preference_id uuid)
ON CONFLICT (preference_id) DO UPDATE SET deleted = true;
