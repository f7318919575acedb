"""Marks with noise: as much as was asked for, the same in every run, the originals beside."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lesions import InputError
from lesions.lesion import Lesion
from lesions.prepared.preparing import Table
from lesions.prepared.remarking import ORIGINALS, MarksFrom, MarksNoise, remarked, write_originals
from lesions.readers.deeplesion import read_deeplesion
from lesions.recist import Recist
from lesions.sample import ROOT as SAMPLE

CROSS = Recist([[40, 60], [60, 60], [50, 53], [50, 67]])  # 20 and 14 pixels about (50, 60)


def lesion(row: int, recist: Recist = CROSS) -> Lesion:
    return Lesion(file="000001_01_01_001.png", row=row, recist=recist, spacing=(1, 1, 1),
                  window=(-160, 240), shape=(128, 128), encoded=b"")  # fmt: skip


def test_lengths_and_places_change_by_up_to_what_was_asked() -> None:
    noise = MarksNoise(length=0.2, place=0.1)
    marks = [remarked(lesion(row), noise).recist for row in range(1, 800)]
    lengths = np.array([mark.diameters_mm((1, 1)) for mark in marks]) / [20, 14]
    assert 0.8 <= lengths.min() < 0.81 < 1.19 < lengths.max() <= 1.2
    assert abs(np.corrcoef(lengths.T)[0, 1]) < 0.1
    moved = np.array([np.hypot(*(mark.centre - [50, 60])) for mark in marks]) / 20
    assert 0.095 < moved.max() <= 0.1 + 1e-9
    # Evenly over the disc: the mean square distance is half the radius' square.
    assert np.mean(moved**2) == pytest.approx(0.1**2 / 2, rel=0.1)


@pytest.mark.parametrize(
    "text", ["", "0.1", "0,0,0,0", "a,b", "0.5,0", "-0.1,0", "nan,0", "0,0,0.5"]
)
def test_other_words_are_no_noise(text: str) -> None:
    assert MarksNoise.read("0.2,0.05") == MarksNoise(length=0.2, place=0.05)
    with pytest.raises(InputError, match="is no noise of marks"):
        MarksNoise.read(text)


def test_axes_are_drawn_in_about_their_middles() -> None:
    noise = MarksNoise.read("0,0,0.08")
    assert (noise.drawn_in, str(noise)) == (0.08, "0/0/0.08")
    marks = remarked(lesion(1), noise).recist
    assert_allclose(marks.points, [[40.8, 60], [59.2, 60], [50, 53.56], [50, 66.44]])


def test_marks_from_masks_and_noise_are_told_apart() -> None:
    noise = MarksNoise(length=0.1, place=0.05)
    assert MarksFrom().identity == {}
    assert MarksFrom(masks=True).identity == {"marks": "measured from masks"}
    both = MarksFrom(masks=True, noise=noise).identity
    assert both == {"marks": "measured from masks", "marks_noise": "0.1/0.05"}


def test_a_lesion_without_a_human_mask_keeps_its_marks() -> None:
    """Of a table some slices may have masks, and others none."""
    assert MarksFrom(masks=True)(lesion(3)).recist == CROSS


def test_without_noise_nothing_changes() -> None:
    marks = remarked(lesion(3), MarksNoise(length=0, place=0)).recist
    assert_allclose(marks.points, CROSS.points)


def test_the_same_lesion_is_marked_the_same_and_another_otherwise() -> None:
    noise = MarksNoise(length=0.2, place=0.1)
    assert remarked(lesion(3), noise).recist == remarked(lesion(3), noise).recist
    assert remarked(lesion(3), noise).recist != remarked(lesion(4), noise).recist


def test_no_endpoint_leaves_the_slice() -> None:
    corner = Recist([[0, 5], [20, 5], [10, 0], [10, 12]])
    for row in range(100):
        points = remarked(lesion(row, corner), MarksNoise(length=0.4, place=0.4)).recist.points
        assert points.min() >= -0.5


def test_a_table_gives_other_marks_and_the_same_masks_and_keeps_the_originals(
    tmp_path: Path,
) -> None:
    noise = MarksNoise(length=0.1, place=0.05)
    plain, changed = Table(place=SAMPLE), Table(place=SAMPLE, marks=MarksFrom(noise=noise))
    part = plain.parts()[0][0]
    for before, after in zip(plain.read(part), changed.read(part), strict=True):
        assert isinstance(before, Lesion)
        assert isinstance(after, Lesion)
        assert before.recist != after.recist
        assert before.masks == after.masks
    assert changed.identity() == plain.identity() | {"marks_noise": "0.1/0.05"}
    write_originals(SAMPLE, tmp_path)
    with (tmp_path / ORIGINALS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    lesions, _ = read_deeplesion(SAMPLE)
    assert [int(row["row"]) for row in rows] == [one.row for one in lesions]
    first = [float(number) for number in rows[0]["Measurement_coordinates"].split(",")]
    assert Recist(np.reshape(first, (4, 2)) - 0.5) == lesions[0].recist
