"""Small lesions made for tests: bright ellipses on noise, on slices that are not square."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lesions import Lesion, Recist
from lesions.ellipse import ellipse
from lesions.prompts import Box, Case, Click, Marks, Prompt
from lesions.readers.png import encode_labels, encode_slice

SHAPE = (96, 120)  # (H, W)
SPACING = (0.7, 0.9, 5.0)
WINDOW = (-100.0, 150.0)
DIMENSION = 256  # of what `platform.embed` makes
MARGIN = 10  # pixels of nothing along the borders


def made_lesions(
    count: int, masks: Sequence[str], *, shape: tuple[int, int] = SHAPE, seed: int = 7
) -> list[Lesion]:
    """Lesions of different sizes and places, one a slice, one a patient.

    Args:
        count: how many.
        masks: the names under which each lesion's own mask is kept.
        shape: (H, W) of their slices, at least 70 either way.
        seed: of the places.
    """
    rng = np.random.default_rng(seed)
    marks = [_marks(rng, shape) for _ in range(count)]
    return [_lesion([own], number, masks, shape)[0] for number, own in enumerate(marks)]


def two_on_a_slice(masks: Sequence[str]) -> tuple[Lesion, Lesion]:
    """Two lesions of one slice, beside each other."""
    left = Recist([[24, 40], [44, 46], [30, 48], [37, 36]])
    right = Recist([[74, 56], [96, 50], [82, 60], [86, 46]])
    first, second = _lesion([left, right], 0, masks, SHAPE)
    return first, second


def shifted(case: Case, x: int, y: int) -> Case:
    """A case whose image and prompt have moved by whole pixels, less than MARGIN."""
    return replace(
        case,
        slice_hu=np.roll(case.slice_hu, (y, x), axis=(0, 1)),
        prompt=_moved(case.prompt, np.array([x, y], dtype=np.float64)),
    )


def _moved(prompt: Prompt, by: NDArray[np.float64]) -> Prompt:
    other = type(prompt).from_points(prompt.points + by)
    if isinstance(prompt, Click) and isinstance(other, Click):
        x, y = by.tolist()
        place = prompt.place and (prompt.place[0] + x, prompt.place[1] + y)
        return replace(other, size=prompt.size, place=place)
    assert isinstance(other, Box | Marks)
    return other


def _marks(rng: np.random.Generator, shape: tuple[int, int]) -> Recist:
    """Both axes of an ellipse that lies within the margins."""
    middle = np.array([rng.uniform(32, side - 32) for side in shape[::-1]])
    long, short, angle = rng.uniform(10, 15), rng.uniform(6, 9), rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    return Recist([middle - long * along, middle + long * along,
                   middle - short * across, middle + short * across])  # fmt: skip


def made_embedding(number: int) -> NDArray[np.float32]:
    """A lesion's, of unit length, near that of every second one."""
    vector = np.random.default_rng(number).normal(0, 0.1, DIMENSION)
    vector[number % 2] += 10
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _lesion(
    marks: Sequence[Recist], number: int, masks: Sequence[str], shape: tuple[int, int]
) -> list[Lesion]:
    """Every lesion of a slice."""
    areas = [ellipse(own, shape).astype(np.uint8) for own in marks]
    rng = np.random.default_rng(number)
    hu = np.full(shape, -1000, dtype=np.int16)
    inner = hu[MARGIN:-MARGIN, MARGIN:-MARGIN]
    inner[:] = rng.normal(0, 10, inner.shape).astype(np.int16)
    hu[np.any(areas, axis=0)] += 100
    return [
        Lesion(
            file=f"{900000 + number}_01_01_001.png", row=row, recist=own, spacing=SPACING,
            window=WINDOW, shape=shape, encoded=encode_slice(hu), patient=str(900000 + number),
            masks=dict.fromkeys(masks, encode_labels(area)), embedding=made_embedding(number),
        )
        for row, (own, area) in enumerate(zip(marks, areas, strict=True), start=1)
    ]  # fmt: skip
