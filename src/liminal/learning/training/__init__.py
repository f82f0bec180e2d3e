"""Runs: what is to be trained, by which recipe, carried out through kills and pauses, and repeated."""
