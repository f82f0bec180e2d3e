"""Whether a trained version may serve: what it is judged by, the verdict, the report."""
