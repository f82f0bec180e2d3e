CREATE INDEX artifacts_by_kind ON artifacts (kind);
CREATE INDEX patches_by_artifact ON patches (owner_id, artifact_id);
