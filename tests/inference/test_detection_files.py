"""Lines of MOTChallenge."""

from abc_mmdet.inference.detection_files import mot_lines


def test_frames_and_columns() -> None:
    rows = [
        (1, 2, (1.5, 2, 3, 4), 0.25),
        (0, 9, (12345.678, 0, 8, 8), 0.9),
        (1, 1, (0, 0, 1, 1), 1),
    ]
    assert mot_lines(rows) == (
        '1,9,12345.68,0.00,8.00,8.00,0.90000,-1,-1,-1\n'
        '2,1,0.00,0.00,1.00,1.00,1.00000,-1,-1,-1\n'
        '2,2,1.50,2.00,3.00,4.00,0.25000,-1,-1,-1\n'
    )
    assert mot_lines([]) == ''
