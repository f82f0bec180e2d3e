"""The read models as they stood at a time, beside the live ones."""
