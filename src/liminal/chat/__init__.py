"""Conversations, their messages, and what people said about the answers."""
