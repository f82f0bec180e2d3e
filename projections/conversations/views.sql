CREATE VIEW read.messages AS
SELECT *, to_tsvector('simple', coalesce(content, '')) AS search FROM messages;

-- What every match of websearch_to_tsquery('simple', query) contains, for content ILIKE ALL (...): nothing
-- where the query has phrases, alternatives or exclusions. It spares most messages the parser.
CREATE OR REPLACE FUNCTION read.search_patterns(query text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN query ~ '["-]' OR query ~* '\mor\M' THEN '{}'::text[]
    ELSE coalesce((
        SELECT array_agg('%' || regexp_replace(word, '([%_\\])', '\\\1', 'g') || '%')
        FROM unnest(tsvector_to_array(to_tsvector('simple', query))) AS word
    ), '{}') END;
