"""Adapters and their versions: made, imported, served, watched, withdrawn, and where they come from."""
