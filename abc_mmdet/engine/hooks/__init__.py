"""MMEngine hooks."""
