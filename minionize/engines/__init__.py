"""Queues: `base` says what an engine is, each other module or folder is one, and none sees another."""
