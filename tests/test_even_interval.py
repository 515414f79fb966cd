from hypothesis import given
from hypothesis import strategies as st

from abc_mmdet.even_interval import even_interval


@given(length=st.integers(1, 5000), interval=st.integers(1, 6000))
def test_the_last_part_is_no_short_one(length: int, interval: int) -> None:
    """Against the iterations at which MMEngine's loop validates."""
    chosen = even_interval(interval, length)
    assert chosen >= interval
    moments = [i for i in range(1, length + 1) if i % chosen == 0 or i == length]
    if len(moments) > 1:
        assert moments[-1] - moments[-2] >= chosen / 2
    if length % interval == 0:
        assert chosen == interval, 'what fits stays'
    assert chosen <= 2 * interval, 'about as often'
