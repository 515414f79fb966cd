"""Experiments in rows: rungs of a ladder times seeds, run as a queue, compared with intervals."""
