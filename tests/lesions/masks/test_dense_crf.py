import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from lesions.masks.dense_crf import TOLERANCE, CrfParameters, _factor, _gram, dense_crf

QUIET = CrfParameters(smoothness=0, appearance=0)


def brute_force(probability, image, parameters):
    """The mean field by its O(N²) sums over both labels, in double precision."""
    y, x = np.indices(image.shape).reshape(2, -1)
    level = np.rint(image.ravel() * 255) / 255
    away = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    near = np.exp(-away / (2 * parameters.smoothness_px**2))
    alike = np.exp(
        -away / (2 * parameters.appearance_px**2)
        - (level[:, None] - level) ** 2 / (2 * parameters.appearance_level**2)
    )
    kernel = parameters.smoothness * normalised(near) + parameters.appearance * normalised(alike)
    unary = -np.log(np.stack([1 - probability.ravel(), probability.ravel()]))
    marginals = softmax(-unary)
    for _ in range(parameters.iterations):
        marginals = softmax(-unary + marginals @ kernel)
    return marginals[1].reshape(image.shape)


def normalised(kernel):
    scale = kernel.sum(axis=0) ** -0.5
    return scale[:, None] * kernel * scale


def softmax(energy):
    positive = np.exp(energy - energy.max(axis=0))
    return positive / positive.sum(axis=0)


@st.composite
def problems(draw, side=24):
    """A unary, an image from noise to smooth, and kernels from narrower than a pixel to flat."""
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    shape = draw(st.integers(1, side)), draw(st.integers(1, side))
    image = gaussian_filter(rng.random(shape), draw(st.floats(0, 3)))
    image = (image - image.min()) / max(np.ptp(image), 1e-9)
    parameters = CrfParameters(
        smoothness=draw(st.floats(0, 10)),
        smoothness_px=draw(st.floats(0.2, 10)),
        appearance=draw(st.floats(0, 20)),
        appearance_px=draw(st.floats(0.2, 200)),
        appearance_level=draw(st.floats(0.003, 2)),
        iterations=draw(st.integers(1, 10)),
    )
    return rng.uniform(0.01, 0.99, shape), image, parameters


class TestAgainstBruteForce:
    @given(problems())
    @settings(deadline=None)
    def test_is_the_sum_over_all_pairs(self, problem):
        assert np.abs(dense_crf(*problem) - brute_force(*problem)).max() < 1e-5

    @pytest.mark.parametrize("reach", [5, 20, 80])
    def test_where_single_pixels_have_levels_of_their_own(self, reach):
        """Their sums are near 1 among thousands of terms: the worst case for the precision."""
        rng = np.random.default_rng(0)
        image = np.full((44, 48), 0.2)
        image[tuple(rng.integers(0, 44, (2, 30)))] = rng.uniform(0, 1, 30)
        parameters = CrfParameters(appearance_px=reach, appearance_level=0.02, iterations=3)
        problem = rng.uniform(0.3, 0.7, image.shape), image, parameters
        assert np.abs(dense_crf(*problem) - brute_force(*problem)).max() < 1e-5

    @given(st.integers(1, 256), st.floats(0.1, 1000))
    @settings(deadline=None, max_examples=40)
    def test_factors_leave_out_no_more_than_they_say(self, size, sigma):
        factor = _factor(size, sigma)
        assert np.abs(factor @ factor.T - _gram(size, sigma)).max() <= TOLERANCE + 1e-12


class TestByHand:
    def test_two_pixels_one_step(self):
        """Fields 0.6 and 0; the kernel is e^-½ between the two, 1 within; its sums are equal."""
        parameters = CrfParameters(smoothness=2, smoothness_px=1, appearance=0, iterations=1)
        found = dense_crf(np.array([[0.8, 0.5]]), np.zeros((1, 2)), parameters)
        pull = 2 * 0.6 / (1 + np.exp(-0.5))
        expected = expit([[np.log(4) + pull, pull * np.exp(-0.5)]])
        assert found == pytest.approx(expected, abs=1e-6)

    def test_without_kernels_the_unary_remains(self):
        probability = np.linspace(0, 1, 20).reshape(4, 5)
        found = dense_crf(probability, np.zeros((4, 5)), QUIET)
        assert found.dtype == np.float64
        assert found == pytest.approx(probability, abs=1e-6)

    def test_pixels_of_one_level_agree_and_others_do_not_mind(self):
        image = np.kron([[0.2, 0.8]], np.ones((8, 8)))
        probability = np.full(image.shape, 0.5)
        probability[2, 2], probability[5, 13] = 0.9, 0.1
        parameters = CrfParameters(smoothness=0, appearance_px=20, appearance_level=0.05)
        assert ((dense_crf(probability, image, parameters) > 0.5) == (image < 0.5)).all()


@given(problems())
@settings(deadline=None, max_examples=30)
def test_swapping_labels_or_axes_swaps_the_result(problem):
    probability, image, parameters = problem
    found = dense_crf(*problem)
    assert dense_crf(1 - probability, image, parameters) == pytest.approx(1 - found, abs=1e-4)
    assert dense_crf(probability.T, image.T, parameters) == pytest.approx(found.T, abs=1e-4)


def test_removes_noise_and_keeps_the_edge():
    rng = np.random.default_rng(3)
    lesion = np.hypot(*np.indices((60, 64)) - 31) < 20
    image = np.clip(0.4 + 0.3 * lesion + rng.normal(scale=0.05, size=lesion.shape), 0, 1)
    wrong = rng.random(lesion.shape) < 0.25
    found = dense_crf(np.where(lesion ^ wrong, 0.7, 0.3), image) > 0.5
    assert np.count_nonzero(found != lesion) < 10 < np.count_nonzero(wrong)


def test_what_is_certain_stays_against_all_the_rest():
    probability = np.full((20, 20), 0.99)
    probability[7, 7] = 0
    found = dense_crf(probability, np.zeros((20, 20)))
    assert found[7, 7] == 0
    probability[:] = 1
    assert (dense_crf(probability, np.zeros((20, 20))) == 1).all()


def test_ends_where_nothing_moves_any_more():
    rng = np.random.default_rng(0)
    probability, image = rng.random((2, 16, 16))
    few, many = (
        dense_crf(probability, image, CrfParameters(iterations=count)) for count in (300, 3000)
    )
    assert (few == many).all()


@pytest.mark.parametrize(
    ("probability", "image", "reason"),
    [
        (np.ones((2, 2)), np.ones((2, 3)), r"is \(2, 2\), the image \(2, 3\)"),
        (np.ones((2, 2, 2)), np.ones((2, 2)), r"probability is \(H, W\)"),
        (np.ones((0, 2)), np.ones((0, 2)), "at least one pixel"),
        (np.full((2, 2), np.nan), np.ones((2, 2)), "no number"),
        (np.ones((2, 2)), np.full((2, 2), 40), "the image has values outside"),
    ],
)
def test_refuses_by_name(probability, image, reason):
    with pytest.raises(ValueError, match=reason):
        dense_crf(probability, image)


@pytest.mark.parametrize(
    "wrong",
    [{"smoothness": -1}, {"appearance_px": 0}, {"appearance_level": np.nan}, {"iterations": 0},
     {"smoothness_px": np.inf}],
)  # fmt: skip
def test_parameters_refuse_what_is_no_kernel(wrong):
    with pytest.raises(ValueError, match=r"positive|iteration"):
        CrfParameters(**wrong)
