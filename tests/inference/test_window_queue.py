"""Windows of a live stream that wait, by a clock that is set."""

import threading

import pytest

from abc_mmdet.inference.window_queue import CAPACITY, WindowQueue


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def filled(when_late: str, clock: Clock, arrivals: list[float]) -> WindowQueue[int]:
    queue: WindowQueue[int] = WindowQueue(when_late, 0.05, clock)
    for number, clock.now in enumerate(arrivals):
        assert queue.put(number)
    queue.end()
    return queue


def rest(queue: WindowQueue[int]) -> list[int]:
    taken = []
    while (found := queue.take()) is not None:
        taken.append(found[1])
    return taken


def test_all_are_processed_however_long_they_wait(clock: Clock) -> None:
    queue = filled('process', clock, [0.0, 0.05, 0.1])
    clock.now = 9.0
    assert queue.take() == (0.0, 0)
    assert rest(queue) == [1, 2] and queue.dropped == 0


@pytest.mark.parametrize(
    ('now', 'first', 'dropped'),
    [(0.15, 2, 2), (0.16, 3, 3), (0.3, 3, 3), (0.2, 3, 3)],
    ids=['one_step_old', 'a_little_more', 'all_too_old', 'exactly'],
)
def test_those_that_waited_too_long_are_dropped_but_the_newest(
    clock: Clock, now: float, first: int, dropped: int
) -> None:
    queue = filled('skip', clock, [0.0, 0.05, 0.1, 0.15])
    clock.now = now
    assert queue.take() == (pytest.approx(0.05 * first), first)
    assert queue.dropped == dropped


def test_two_windows_of_one_packet_are_both_processed(clock: Clock) -> None:
    queue = filled('skip', clock, [1.0, 1.0])
    clock.now = 1.02
    assert rest(queue) == [0, 1] and queue.dropped == 0


def test_more_than_the_capacity(clock: Clock) -> None:
    queue = filled('skip', clock, [0.0] * (CAPACITY + 3))
    assert queue.dropped == 3
    assert rest(queue) == list(range(3, CAPACITY + 3))


def test_who_puts_waits_for_who_takes() -> None:
    queue: WindowQueue[int] = WindowQueue('process', 0.05)
    done = []

    def put() -> None:
        for number in range(CAPACITY + 2):
            done.append(queue.put(number))

    thread = threading.Thread(target=put)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive() and len(done) == CAPACITY
    assert queue.take()[1] == 0
    queue.leave()
    thread.join(5)
    assert not thread.is_alive()
    assert done[:CAPACITY] == [True] * CAPACITY and done[-1] is False, 'it is told'


def test_an_error_comes_after_the_windows_before_it(clock: Clock) -> None:
    queue: WindowQueue[int] = WindowQueue('process', 0.05, clock)
    queue.put(7)
    queue.end(OSError('gone'))
    assert queue.take() == (0.0, 7)
    with pytest.raises(OSError, match='gone'):
        queue.take()
