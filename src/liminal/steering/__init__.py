"""Steering by data: artifacts with versions, policies, expressions, the router."""
