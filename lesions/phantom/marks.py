"""Marks as people set them: not where the mask says, and not where the next reader sets them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions.phantom.measured import MARK_DISPLACED, MARK_SHORTER, READERS_SPREAD
from lesions.recist import Recist

# Of the readers' variance, what stays with the reader from lesion to lesion; not measured.
BIAS_SHARE = 0.2
OWN_SHARE = 0.1  # of the spread's variance, each axis' own; not measured
# Degrees and shape of Student's t of the axes' angle: 19 % beyond 5°, 4 % beyond 10°.
SKEW, SKEW_FREEDOM = 3.0, 3.0
TURN = 4.0  # degrees, of the whole mark; not measured
# A slice is marked if the lesion's area there is this share of its largest; not measured.
MARKED_AREA = 0.8
SHORTEST = 0.4  # of the mask's axis


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One who sets marks.

    Attributes:
        bias: by how much the marks are longer than the mask, of the length; negative is shorter.
        spread: the deviation of that from mark to mark.
        displaced: root mean square of the mark's displacement, of the length.
    """

    bias: float
    spread: float
    displaced: float = MARK_DISPLACED


def draw_readers(count: int, random: np.random.Generator) -> list[Reader]:
    """Readers who differ as the measured ones do."""
    between = READERS_SPREAD * np.sqrt(BIAS_SHARE)
    within = READERS_SPREAD * np.sqrt(1 - BIAS_SHARE)
    return [Reader(bias=random.normal(-MARK_SHORTER, between), spread=within) for _ in range(count)]


def draw_mark(
    truth: Recist, reader: Reader, shape: tuple[int, int], random: np.random.Generator
) -> Recist:
    """A reader's mark of a lesion whose mask measures `truth`, pixels square.

    Args:
        truth: the measurement of the mask.
        reader: who sets it.
        shape: (H, W) of the slice, which no endpoint leaves.
        random: the source.
    """
    length = float(np.hypot(*(truth.points[1] - truth.points[0])))
    centre = truth.points.mean(axis=0)
    turn = np.deg2rad(random.normal(0, TURN))
    skew = np.deg2rad(SKEW * random.standard_t(SKEW_FREEDOM))
    # Displaced in the plane: each coordinate has half the variance.
    moved = random.normal(0, reader.displaced * length / np.sqrt(2), 2)
    common = random.normal(0, reader.spread * np.sqrt(1 - OWN_SHARE))
    ends = []
    for axis, angle in ((truth.points[:2], turn), (truth.points[2:], turn + skew)):
        own = random.normal(0, reader.spread * np.sqrt(OWN_SHARE))
        factor = max(SHORTEST, 1 + reader.bias + common + own)
        ends.append((axis - centre) @ _rotation(angle).T * factor + centre + moved)
    last = np.array([shape[1], shape[0]]) - 1.0
    return Recist(np.clip(np.concatenate(ends), 0, last))


def _rotation(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def marked_slice(areas: NDArray[np.int_], random: np.random.Generator) -> int:
    """Which slice is marked: mostly the one where the lesion is largest, or one much like it.

    Args:
        areas: the lesion's pixels on each slice.
        random: the source.
    """
    chances = np.where(areas >= MARKED_AREA * areas.max(), areas.astype(np.float64), 0.0) ** 4
    return int(random.choice(len(areas), p=chances / chances.sum()))
