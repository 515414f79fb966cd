"""Tracks as text, in the format of MOTChallenge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def mot_lines(rows: Iterable[tuple[int, int, Sequence[float], float]]) -> str:
    """Tracks in the format of MOTChallenge, which TrackEval and motmetrics read.

    Args:
        rows: number of the image from 0 on, of the track, ``x, y, width, height``, and score.

    Returns:
        A line ``frame,id,x,y,w,h,score,-1,-1,-1`` per row; frames count from 1.

    Examples:
        >>> mot_lines([(0, 7, (1.0, 2.0, 8.0, 9.0), 0.5)])
        '1,7,1.00,2.00,8.00,9.00,0.50000,-1,-1,-1\\n'
    """
    lines = []
    for number, track, box, score in sorted(rows, key=lambda row: row[:2]):
        corner_and_size = ','.join(f'{value:.2f}' for value in box)
        lines.append(f'{number + 1},{track},{corner_and_size},{score:.5f},-1,-1,-1\n')
    return ''.join(lines)
