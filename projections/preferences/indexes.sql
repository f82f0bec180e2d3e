CREATE INDEX preferences_by_owner ON _preferences (owner_id);
