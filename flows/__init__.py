"""The runbooks: one file a documented procedure, in its order, with its step numbers."""
