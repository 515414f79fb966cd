"""Ranges of box areas by name."""

NO_LIMIT = 1e10
AREAS = {
    'all': (0.0, NO_LIMIT),
    'very_tiny': (0.0, 8.0**2),
    'tiny': (8.0**2, 16.0**2),
    'small': (16.0**2, 32.0**2),
    'medium': (32.0**2, 96.0**2),
    'large': (96.0**2, NO_LIMIT),
    's': (0.0, 32.0**2),
}
"""Box areas in square pixels. As COCO's, borders belong to both sizes; ``s`` is COCO's small."""
