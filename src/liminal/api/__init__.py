"""The HTTP surface: one file per noun, one table of endpoints that everything else is read from."""
