CREATE INDEX evidence_by_owner ON _evidence (owner_id);
CREATE INDEX evidence_by_tenant ON _evidence (tenant_id);
CREATE INDEX clusters_by_owner ON _clusters (owner_id);
CREATE INDEX members_by_evidence ON _members (evidence_id);
CREATE INDEX runs_by_owner ON _runs (owner_id);
