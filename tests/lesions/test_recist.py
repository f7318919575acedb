import pickle
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from lesions.outline import lesion_outline
from lesions.recist import Recist

eighths = st.integers(-4000, 4000).map(lambda n: n / 8)
four_points = st.lists(st.tuples(eighths, eighths), min_size=4, max_size=4).filter(
    lambda p: p[0] != p[1] and p[2] != p[3]
)
blob_seeds = st.integers(0, 10_000)
SLOW = pytest.mark.slow


def disc(radius, shape=(64, 64), centre=(31.0, 31.0)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def blob(seed, side=26):
    """One irregular, often concave shape, some of them crescents."""
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        outer, inner = rng.uniform(6, 12), rng.uniform(4, 10)
        away = rng.uniform(2, 6) * np.exp(1j * rng.uniform(0, 2 * np.pi))
        middle = (side - 1) / 2
        shape = disc(outer, (side, side), (middle, middle))
        shape &= ~disc(inner, (side, side), (middle + away.real, middle + away.imag))
    else:
        field = gaussian_filter(rng.normal(size=(side, side)), rng.uniform(1, 3))
        shape = field > np.quantile(field, rng.uniform(0.3, 0.8))
    return shape if shape.any() else disc(3, (side, side), (10, 10))


class TestConstructor:
    @given(four_points, st.booleans(), st.booleans())
    def test_only_the_ends_of_an_axis_swap(self, points, swap_long, swap_short):
        a, b, c, d = points
        given_points = [*((b, a) if swap_long else (a, b)), *((d, c) if swap_short else (c, d))]
        recist = Recist(given_points)
        assert recist == Recist(points)
        p, q, r, s = recist.points.tolist()
        assert p < q
        assert r[::-1] < s[::-1]
        assert {tuple(p), tuple(q)} == {a, b}
        assert {tuple(r), tuple(s)} == {c, d}

    def test_the_first_pair_stays_the_long_axis_though_shorter(self):
        assert Recist([(5, 0), (4, 0), (4, 9), (4, -9)]).points.tolist() == [
            [4, 0], [5, 0], [4, -9], [4, 9],
        ]  # fmt: skip

    def test_points_cannot_be_changed_even_after_pickling(self):
        recist = Recist([(0, 0), (4, 0), (2, -1), (2, 1)])
        copy = pickle.loads(pickle.dumps(recist))
        assert copy == recist
        assert hash(copy) == hash(recist)
        for each in (recist, copy):
            with pytest.raises(ValueError, match="read-only"):
                each.points[0, 0] = 1

    @pytest.mark.parametrize(
        ("points", "message"),
        [
            ([(0, 0), (1, 1)], "shape"),
            ([(0, 0), (1, 1), (0, 1), (np.nan, 0)], "finite"),
            ([(0, 0), (np.inf, 1), (0, 1), (1, 0)], "finite"),
            ([(2, 3), (2, 3), (0, 1), (1, 0)], "zero length"),
            ([(2, 3), (2, 4), (0, 1), (0, 1)], "zero length"),
        ],
    )
    def test_refuses(self, points, message):
        with pytest.raises(ValueError, match=message):
            Recist(points)


class TestProperties:
    def test_diameters_use_the_spacing_of_each_direction(self):
        recist = Recist([(0, 0), (3, 4), (0, 4), (2, 4)])
        assert recist.diameters_mm((1, 1)) == (5, 2)
        assert recist.diameters_mm((2, 0.5, 5)) == pytest.approx((np.hypot(6, 2), 4))

    @pytest.mark.parametrize("spacing", [(1,), (0, 1), (1, -1), (np.nan, 1)])
    def test_refuses_a_spacing_that_is_none(self, spacing):
        with pytest.raises(ValueError, match="spacing"):
            Recist([(0, 0), (4, 0), (2, -1), (2, 1)]).diameters_mm(spacing)

    def test_centre_is_where_the_axes_cross(self):
        assert Recist([(0, 0), (10, 0), (3, -1), (3, 5)]).centre.tolist() == [3, 0]

    def test_centre_is_the_mean_where_they_do_not(self):
        assert Recist([(0, 0), (10, 0), (3, 1), (3, 5)]).centre.tolist() == [4, 1.5]
        assert Recist([(0, 0), (10, 0), (3, 1), (7, 1)]).centre.tolist() == [5, 0.5]

    def test_bounds(self):
        assert Recist([(0, 1), (10, 2), (3, -1), (3, 5)]).bounds == (0, -1, 10, 5)

    @given(four_points)
    def test_a_flip_and_back_changes_nothing(self, points):
        flip = [[-1, 0, 511], [0, 1, 0]]
        twice = Recist(points).transformed(flip).transformed(flip)
        assert twice == Recist(points)

    def test_a_flip_restores_the_order(self):
        flipped = Recist([(0, 0), (10, 1), (4, -3), (5, 3)]).transformed([[-1, 0, 9], [0, -1, 0]])
        assert flipped.points.tolist() == [[-1, -1], [9, 0], [4, -3], [5, 3]]

    def test_refuses_a_map_of_another_shape(self):
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            Recist([(0, 0), (10, 1), (4, -3), (5, 3)]).transformed(np.eye(3))


class TestFromMask:
    def test_one_pixel(self):
        mask = np.zeros((5, 6), np.uint8)
        mask[2, 3] = 1
        recist = Recist.from_mask(mask, (2.0, 1.0, 5.0))
        assert recist.points.tolist() == [[2.5, 2], [3.5, 2], [3, 1.5], [3, 2.5]]
        assert recist.diameters_mm((2.0, 1.0)) == (2, 1)

    def test_rectangle(self):
        mask = np.zeros((12, 30), np.uint8)
        mask[4:9, 5:25] = 1
        long, short = Recist.from_mask(mask, (1, 1)).diameters_mm((1, 1))
        # Marching squares cuts the corners: 20 × 5 pixels give a diagonal of 20 × 4 or 19 × 5.
        assert long == pytest.approx(np.hypot(20, 4))
        # Perpendicular to that diagonal between the two long sides, 5 apart.
        assert short == pytest.approx(5 * np.hypot(20, 4) / 20)

    @pytest.mark.parametrize("radius", [3, 10.3, 25])
    def test_disc(self, radius):
        diameters = Recist.from_mask(disc(radius), (0.8, 0.8)).diameters_mm((0.8, 0.8))
        np.testing.assert_allclose(diameters, 2 * radius * 0.8, atol=0.8)

    def test_spacing_decides_which_axis_is_long(self):
        mask = np.zeros((20, 20), bool)
        mask[5:15, 4:16] = True
        wide = Recist.from_mask(mask, (1, 0.1))
        tall = Recist.from_mask(mask, (0.1, 1))
        assert np.ptp(wide.points[:2, 0]) == 12
        assert np.ptp(tall.points[:2, 1]) == 10

    def test_long_axis_does_not_leave_a_crescent(self):
        crescent = disc(28) & ~disc(22, centre=(31, 19))
        recist = Recist.from_mask(crescent, (1, 1))
        column, row = np.rint(np.linspace(*recist.points[:2], 500)).astype(int).T
        assert cv2.dilate(crescent.astype(np.uint8), np.ones((3, 3)))[row, column].all()
        tips = np.argwhere(crescent)
        assert recist.diameters_mm((1, 1))[0] < np.ptp(tips[:, 1])

    def test_holes_and_smaller_parts_and_uncertain_pixels_do_not_count(self):
        mask = disc(15).astype(np.uint8)
        expected = Recist.from_mask(mask, (1, 1))
        mask[28:34, 28:34] = 0
        mask[2:5, 2:5] = 1
        mask[60:63] = 255
        assert Recist.from_mask(mask, (1, 1)) == expected

    def test_a_mask_that_fills_the_image_ends_at_its_border(self):
        recist = Recist.from_mask(np.ones((7, 9)), (1, 1))
        assert (recist.points >= -0.5).all()
        assert (recist.points <= (8.5, 6.5)).all()

    @pytest.mark.parametrize("mask", [np.zeros((4, 4)), np.zeros((0, 0))])
    def test_refuses_an_empty_mask(self, mask):
        with pytest.raises(ValueError, match="empty"):
            Recist.from_mask(mask, (1, 1))

    def test_refuses_a_volume(self):
        with pytest.raises(ValueError, match=r"\(H, W\)"):
            Recist.from_mask(np.ones((2, 4, 4)), (1, 1))

    def test_a_ragged_mask_takes_no_minutes(self):
        noise = np.random.default_rng(0).random((200, 200)) < 0.4
        long, short = Recist.from_mask(noise, (1, 1)).diameters_mm((1, 1))
        assert long > 0
        assert short > 0

    @given(blob_seeds, st.integers(0, 3), st.booleans())
    @settings(max_examples=40, deadline=None)
    def test_turns_and_flips_keep_the_diameters(self, seed, turns, flip):
        mask, spacing = largest(blob(seed)), (0.7, 0.9)
        moved = np.rot90(mask[:, ::-1] if flip else mask, turns)
        moved_spacing = spacing[::-1] if turns % 2 else spacing
        np.testing.assert_allclose(
            Recist.from_mask(moved, moved_spacing).diameters_mm(moved_spacing),
            Recist.from_mask(mask, spacing).diameters_mm(spacing),
        )

    @given(st.integers(0, 3), st.booleans(), st.integers(0, 9))
    @settings(max_examples=40, deadline=None)
    def test_turns_and_flips_move_the_endpoints_with_the_mask(self, turns, flip, shift):
        drop = np.zeros((40, 40), np.uint8)
        cv2.fillPoly(drop, [np.array([(3, 5), (22, 9), (27, 15), (25, 22), (17, 20)])], 1)
        drop = np.roll(drop, shift, (0, 1))
        expected = Recist.from_mask(drop, (1, 1))
        if flip:
            drop, expected = drop[:, ::-1], expected.transformed([[-1, 0, 39], [0, 1, 0]])
        for _ in range(turns):
            drop, expected = np.rot90(drop), expected.transformed([[0, 1, 0], [-1, 0, 39]])
        np.testing.assert_allclose(
            Recist.from_mask(drop, (1, 1)).points, expected.points, atol=1e-6
        )

    @pytest.mark.parametrize("batch", [0, *(pytest.param(n, marks=SLOW) for n in range(1, 8))])
    def test_agrees_with_brute_force_on_200_masks(self, batch):
        for seed in range(batch, 200, 8):
            spacing = np.random.default_rng(seed + 1).uniform(0.5, 1.5, 2)
            mask = blob(seed)
            recist = Recist.from_mask(mask, spacing)
            polygon = lesion_outline(mask).vertices
            long = brute_force_long(polygon, spacing)
            assert recist.diameters_mm(spacing)[0] == pytest.approx(long, abs=1e-6), seed
            short = brute_force_short(polygon, recist.points[:2], spacing)
            assert recist.diameters_mm(spacing)[1] == pytest.approx(short, abs=1e-4), seed
            along, across = (recist.points[1::2] - recist.points[::2]) * spacing
            assert along @ across == pytest.approx(0, abs=1e-6), seed


def largest(mask):
    parts, _ = label(mask, np.ones((3, 3)))
    return parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])


def inside(polygon, point):
    """Inside or on the polygon, up to rounding."""
    tail, head = polygon - point, np.roll(polygon, -1, 0) - point
    edge = head - tail
    nearest = np.clip(-(tail * edge).sum(1) / (edge**2).sum(1), 0, 1)
    if np.hypot(*(tail + nearest[:, None] * edge).T).min() < 1e-7:
        return True
    straddles = (tail[:, 1] > 0) != (head[:, 1] > 0)
    turn = tail[:, 0] * head[:, 1] - tail[:, 1] * head[:, 0]
    return np.sum(straddles & ((turn > 0) == (head[:, 1] > tail[:, 1]))) % 2 == 1


def brute_force_long(polygon, spacing):
    """The longest of all pairs of vertices that no edge crosses, exact in whole half pixels."""
    doubled = np.rint(2 * polygon).astype(np.int64)
    tails, heads = doubled, np.roll(doubled, -1, 0)
    first, second = np.triu_indices(len(doubled), 1)
    lengths = np.hypot(*((polygon[first] - polygon[second]) * spacing).T)
    for index in np.argsort(-lengths):
        p, q = doubled[first[index]], doubled[second[index]]
        crossed = (side(p, q, tails) * side(p, q, heads) < 0) & (
            side(tails, heads, p) * side(tails, heads, q) < 0
        )
        if crossed.any():
            continue
        on_line = doubled[side(p, q, doubled) == 0]
        at = np.unique((on_line - p) @ (q - p) / ((q - p) @ (q - p)))
        at = at[(at >= 0) & (at <= 1)]
        if all(inside(polygon, (p + (a + b) / 2 * (q - p)) / 2) for a, b in pairwise(at)):
            return lengths[index]
    raise AssertionError("no two vertices see each other")


def side(p, q, r):
    p, q, r = np.broadcast_arrays(p, q, r)
    along, offset = q - p, r - p
    return np.sign(along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0])


def brute_force_short(polygon, axis, spacing):
    """The longest perpendicular chord at every vertex, just beside it, and every 0.1 mm."""
    polygon = (polygon - axis[0]) * spacing
    along = (axis[1] - axis[0]) * spacing
    along = along / np.hypot(*along)
    polygon = polygon @ np.array([along, (-along[1], along[0])]).T
    u, v = polygon.T
    u_next, v_next = np.roll(u, -1), np.roll(v, -1)
    longest = 0.0
    positions = np.concatenate([u, u - 1e-6, u + 1e-6, np.arange(u.min(), u.max(), 0.1)])
    for position in np.unique(np.round(positions, 9)):
        crossed = (np.minimum(u, u_next) - 1e-8 <= position) & (
            np.maximum(u, u_next) + 1e-8 >= position
        )
        level = crossed & (np.abs(u_next - u) < 1e-7)
        sloped = crossed & ~level
        cut = v + (position - u) / np.where(sloped, u_next - u, 1) * (v_next - v)
        cuts = np.unique(np.round(np.concatenate([cut[sloped], v[level], v_next[level]]), 9))
        begin = None
        for low, high in pairwise(cuts):
            if inside(polygon, (position, (low + high) / 2)):
                begin = low if begin is None else begin
                longest = max(longest, high - begin)
            else:
                begin = None
    return longest
