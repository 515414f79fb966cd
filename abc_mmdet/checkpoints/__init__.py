"""Checkpoints: read safely, fitted to a network, converted, averaged."""
