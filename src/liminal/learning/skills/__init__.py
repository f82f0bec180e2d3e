"""Clusters that became skills: proposed, decided, merged, pruned."""
