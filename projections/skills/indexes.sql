CREATE INDEX skills_by_owner ON skills (owner_id);
CREATE INDEX skills_by_cluster ON skills (cluster_id);
