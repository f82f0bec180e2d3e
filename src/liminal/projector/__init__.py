"""The projector: how events become rows, once each, in any batches, for every read model alike."""
