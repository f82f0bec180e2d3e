"""Measurements: every room's figures behind one command, ``liminal bench``."""
