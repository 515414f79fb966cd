import numpy as np
import pytest

from abc_mmdet.evaluation.bootstrap import difference_interval, image_weights


def test_image_weights_are_draws_with_replacement() -> None:
    weights = image_weights(40, 500)
    assert (weights.sum(axis=1) == 40).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.2)
    assert weights.var() == pytest.approx(1 - 1 / 40, abs=0.03)  # of a binomial (n, 1/n)
    np.testing.assert_array_equal(weights, image_weights(40, 500))


def normal(rng: np.random.Generator, centre: float, spread: float) -> np.ndarray:
    return rng.normal(centre, spread, 4000)


def test_what_both_share_cancels() -> None:
    """Hard pictures are hard for both rungs: the interval is that of the difference."""
    rng = np.random.default_rng(0)
    shared = {seed: normal(rng, 0.3, 0.05) for seed in range(3)}
    better = {seed: values + 0.01 for seed, values in shared.items()}
    assert difference_interval(better, shared) == pytest.approx((0.01, 0.01), abs=1e-9)


def test_one_seed_gives_the_interval_over_images() -> None:
    rng = np.random.default_rng(0)
    low, high = difference_interval({7: normal(rng, 0.02, 0.01)}, {7: np.zeros(4000)})
    assert low == pytest.approx(0.02 - 1.96 * 0.01, abs=1e-3)
    assert high == pytest.approx(0.02 + 1.96 * 0.01, abs=1e-3)


def test_seeds_and_images_both_widen_the_interval() -> None:
    """The variance of a mean over n seeds is that of seeds / n (unbiased) and that of images."""
    rng = np.random.default_rng(0)
    of_seeds = np.array([0.00, 0.03, 0.05, 0.01])
    of_images = normal(rng, 0, 0.004)  # the same for all seeds
    ours = {seed: value + of_images for seed, value in enumerate(of_seeds)}
    low, high = difference_interval(ours, dict.fromkeys(ours, np.zeros(4000)), level=0.6827)
    expected = np.sqrt(of_seeds.var(ddof=1) / len(of_seeds) + 0.004**2)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.08)
    assert (high + low) / 2 == pytest.approx(of_seeds.mean(), abs=0.002)


def test_only_seeds_that_both_have_are_compared() -> None:
    zeros = np.zeros(10)
    ours = {0: zeros + 0.01, 1: zeros + 0.01, 2: zeros + 9}
    assert difference_interval(ours, {0: zeros, 1: zeros, 3: zeros - 9}) == pytest.approx(
        (0.01, 0.01)
    )
