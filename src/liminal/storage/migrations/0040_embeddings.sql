-- Vectors of what people ask and say: derived with a model, so not by a fold. A row is known by whose text it
-- is, which model made it and which text it was; all of it can be dropped and made again.
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA derived;

CREATE TABLE derived.embeddings (
    owner_id uuid NOT NULL,
    -- name and hash of the encoder
    model    text NOT NULL,
    -- SHA-256 of the text in UTF-8
    content  bytea NOT NULL,
    vector   vector NOT NULL,
    PRIMARY KEY (owner_id, model, content)
);
COMMENT ON TABLE derived.embeddings IS
    'No index over vectors: a search is of one owner, whose few thousand rows are read exactly in milliseconds.';
