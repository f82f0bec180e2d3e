"""From feedback to adapters: evidence, training runs, the gate, what serves, and lineage both ways."""
