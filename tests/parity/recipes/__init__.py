"""How each golden value is made, with transformers, PEFT, TRL and sentence-transformers.

These modules run only in the environment of tests/parity/requirements.lock; nothing here imports liminal.
"""
