"""Chat that learns from the people who use it, on a log that can prove everything it learned."""
