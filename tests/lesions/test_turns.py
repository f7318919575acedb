"""Nothing depends on which of the eight ways an image is stored: lengths, endpoints, masks."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lesions import Lesion, Recist, outline
from lesions.masks import pseudo_mask
from lesions.prepared.remarking import MarksNoise, remarked
from lesions.readers.deeplesion import read_deeplesion
from lesions.readers.nifti import read_nifti
from lesions.sample import ROOT
from tests.lesions.test_recist import blob, brute_force_long, brute_force_short

Image = NDArray[Any]
Spacing = tuple[float, float]
# The least mask whose short axis once hung on its storage: 3.16 or, mirrored, 2.37 pixels.
LEAST = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0]])


def eight(image: Image) -> Iterator[tuple[Image, NDArray[np.float64]]]:
    """The image in its eight ways, each with the map (2, 3) of points from the first to it."""
    for flip in (False, True):
        turned = image[:, ::-1] if flip else image
        matrix = np.array([[-1.0, 0, image.shape[1] - 1], [0, 1, 0]] if flip else np.eye(3)[:2])
        for _ in range(4):
            yield turned, matrix
            # A quarter turn takes x to the last row less x, and y to x.
            matrix = np.array([matrix[1], [0, 0, turned.shape[1] - 1] - matrix[0]])
            turned = np.rot90(turned)


def of_turned(spacing: Spacing, matrix: NDArray[np.float64]) -> Spacing:
    return spacing if matrix[0, 0] else spacing[::-1]


def differences(mask: Image, spacing: Spacing = (1.0, 1.0)) -> float:
    """How much either length differs between the eight at most, mm."""
    lengths = []
    for turned, matrix in eight(mask):
        there = of_turned(spacing, matrix)
        lengths.append(Recist.from_mask(turned, there).diameters_mm(there))
    return float(np.ptp(lengths, axis=0).max())


def noise(seed: int, share: float = 0.5) -> Image:
    """A few pixels at random: tied axes, tied perpendiculars and parts of one size abound."""
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(2, 9, 2)) < share
    mask[0, 0] = True
    return mask


def test_the_maps_of_the_eight_are_theirs() -> None:
    image = np.arange(12).reshape(3, 4)
    assert len({turned.tobytes() + bytes(turned.shape) for turned, _ in eight(image)}) == 8
    for turned, matrix in eight(image):
        x, y = (matrix @ (3, 1, 1)).astype(int)
        assert turned[y, x] == image[1, 3]


def test_the_least_mask_with_tied_axes_has_the_longer_perpendicular() -> None:
    for turned, _ in eight(LEAST):
        assert Recist.from_mask(turned, (1, 1)).diameters_mm((1, 1)) == pytest.approx(
            (np.sqrt(10), np.sqrt(10))
        )


def test_of_parts_of_one_size_the_same_is_measured() -> None:
    mask = np.zeros((9, 9), bool)
    mask[0, :4] = mask[5:7, 5:7] = True  # four pixels each
    assert differences(mask) < 1e-9


@given(st.integers(0, 10**6), st.sampled_from([(1.0, 1.0), (0.7, 0.9), (0.5, 1.0)]))
@settings(max_examples=15, deadline=None)
def test_lengths_of_random_masks(seed: int, spacing: Spacing) -> None:
    assert differences(noise(seed), spacing) < 1e-9
    assert differences(blob(seed), spacing) < 1e-9


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_endpoints_move_with_a_mask_that_is_no_mirror_image_of_itself(seed: int) -> None:
    mask, spacing = noise(seed), (0.8, 0.8)
    seen = Recist.from_mask(mask, spacing)
    inside = mask[np.ix_(mask.any(1), mask.any(0))]
    if len({(turned.shape, turned.tobytes()) for turned, _ in eight(inside)}) < 8:
        return
    for turned, matrix in eight(mask):
        np.testing.assert_allclose(
            Recist.from_mask(turned, spacing).points, seen.transformed(matrix).points, atol=1e-9
        )


@pytest.mark.parametrize("seed", range(12))
def test_no_tied_axis_has_a_longer_perpendicular(seed: int) -> None:
    """Against all pairs of the outline's vertices, one after another."""
    mask, spacing = np.pad(noise(seed, 0.8), 1), np.ones(2)
    long, short = Recist.from_mask(mask, spacing).diameters_mm(spacing)
    vertices = outline.lesion_outline(mask).vertices
    assert long == pytest.approx(brute_force_long(vertices, spacing))
    for a, b in zip(*np.triu_indices(len(vertices), 1), strict=True):
        pair = vertices[[a, b]]
        if abs(np.hypot(*(pair[1] - pair[0])) - long) < 1e-9 and stays(mask, pair):
            assert short > brute_force_short(vertices, pair, spacing) - 1e-4


def stays(mask: Image, pair: NDArray[np.float64]) -> bool:
    """Whether a thousand points of the segment are on the lesion's pixels."""
    x, y = np.rint(np.linspace(*pair, 1002)[1:-1] - 1e-9).astype(int).T
    return bool(mask[y, x].all())


def test_more_tied_axes_than_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "MOST_TIES", 2)
    comb = np.zeros((9, 13), bool)
    comb[:, ::2] = comb[4, :7] = comb[5, 6:] = True
    assert differences(comb) < 1e-9


def test_lengths_of_the_samples_masks() -> None:
    lesions = read_deeplesion(ROOT)[0][::15]
    assert max(differences(each.mask("human"), each.spacing[:2]) for each in lesions) < 1e-9


@pytest.mark.slow
def test_lengths_of_every_uls23_mask(shared_data: Path) -> None:
    folder = shared_data / "uls23_deeplesion3d"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    with (folder / "index.csv").open() as file:
        names = [row["mask_file"] for row in csv.DictReader(file)]
    assert len(names) == 626
    differ = [name for name in names if differences(*key_slice(folder / "masks" / name)) > 1e-9]
    assert differ == []


def key_slice(path: Path) -> tuple[Image, Spacing]:
    volume = read_nifti(path)
    lesion = volume.hu > 0
    return lesion[lesion.sum(axis=(1, 2)).argmax()], volume.spacing[:2]


def differing(method: str, lesion: Lesion) -> int:
    """How many pixels of a pseudo mask differ at most, turned back, between the eight."""
    slice_hu = lesion.slice_hu
    mask = pseudo_mask(method, slice_hu, lesion.recist, lesion.window)
    masks = zip(eight(slice_hu), eight(mask), strict=True)
    return max(
        int(np.count_nonzero(
            same != pseudo_mask(method, turned, lesion.recist.transformed(matrix), lesion.window)
        ))
        for (turned, matrix), (same, _) in masks
    )  # fmt: skip


@pytest.mark.parametrize("method", ["best", "snakes", "ellipse"])
def test_pseudo_masks_turn_with_their_slice(method: str) -> None:
    assert [differing(method, lesion) for lesion in read_deeplesion(ROOT)[0][::50]] == [0] * 6


@pytest.mark.slow
@pytest.mark.parametrize("method", ["best", "snakes", "ellipse"])
def test_pseudo_masks_of_every_lesion_turn_with_their_slice(method: str) -> None:
    """With marks as measured, and with marks between the pixels."""
    displaced = MarksNoise(length=0.1, place=0.04, drawn_in=0.08)
    for lesion in read_deeplesion(ROOT)[0]:
        assert differing(method, lesion) == 0, lesion.file
        assert differing(method, remarked(lesion, displaced)) == 0, lesion.file
