"""Frozen base models in JAX, decoded with exact mixtures of LoRA adapters. Usable alone."""
