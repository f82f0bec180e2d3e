"""Where things are kept: Postgres, Redis, blobs, and the vault of keys."""
