"""Who is asking, how we know, and what they may do."""
