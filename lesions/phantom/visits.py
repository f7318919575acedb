"""The same patient at another time: the scan moved, its noise taken out and made anew.

Noise is taken out by bilateral filters, which keep edges; the calm slice is moved by parts of a
pixel; and noise of the scan's spectrum is put back, in each place as strong as what was taken out,
detail that went with it included. So noise has nothing in common from time to time but for what
the filters leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.phantom.backgrounds import read_background, read_scan, scan_neighbours
from lesions.phantom.noise import draw_through

SHIFT_MM = 5.0  # in the plane, to either side along each axis
SHIFT_SLICES = 2  # to either side
# Deviations by HU (of the noise's) and by place (pixels) of filters one after the other.
FILTERS = ((3.0, 2.0), (2.5, 3.0), (2.0, 4.0))
STRENGTH_MM = 4.0  # over which the strength of noise is taken
STRONGEST = 1.5  # noise, by the slice's deviation: at edges more was taken out


@dataclass(frozen=True, kw_only=True)
class Visit:
    """How a patient lies at one time.

    Attributes:
        shift: (x, y) pixels, by which all lies further to the left and to the back.
        raised: by how many a slice's number is above the scan's.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    raised: int = 0


def draw_visits(
    times: int, spacing: tuple[float, float, float], random: np.random.Generator
) -> list[Visit]:
    """A patient's visits, all moved against the first; no slice's number is below 0."""
    if times == 1:
        return [Visit()]
    visits = [Visit(raised=SHIFT_SLICES)]
    for _ in range(1, times):
        x, y = (float(random.uniform(-SHIFT_MM, SHIFT_MM) / side) for side in spacing[:2])
        visits.append(Visit(shift=(x, y), raised=int(random.integers(2 * SHIFT_SLICES + 1))))
    return visits


def seen(
    scan: Path, slices: Sequence[int], visit: Visit, random: np.random.Generator
) -> NDArray[np.int16]:
    """Slices (D, H, W) of a scan as they are seen at a visit, without lesions.

    Args:
        scan: the CT.
        slices: which, by the scan's own numbers.
        visit: how the patient lies.
        random: the source of the noise.
    """
    hu = read_scan(scan).hu
    noises = [read_background(scan, at).noise for at in slices]
    even = [replace(noise, deviation=1.0) for noise in noises]
    fields = draw_through(even, slices, scan_neighbours(scan), hu.shape[1:], random)
    out = np.empty(fields.shape, np.int16)
    for n, (at, noise) in enumerate(zip(slices, noises, strict=True)):
        calm = _calm(scan, at).astype(np.float32)
        taken_out = cv2.GaussianBlur(
            (hu[at] - calm) ** 2, (0, 0), STRENGTH_MM / read_scan(scan).spacing[0]
        )
        strength = np.minimum(np.sqrt(taken_out), STRONGEST * noise.deviation)
        made = _moved(calm, visit.shift) + _moved(strength, visit.shift) * fields[n]
        out[n] = np.clip(np.rint(made), hu[at].min(), 32767)
    return out


def _moved(image: NDArray[np.float32], shift: tuple[float, float]) -> NDArray[np.float32]:
    if shift == (0.0, 0.0):
        return image
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    size = image.shape[::-1]
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC,
                                     borderMode=cv2.BORDER_REPLICATE), np.float32)  # fmt: skip


@lru_cache(maxsize=64)
def _calm(scan: Path, at: int) -> NDArray[np.int16]:
    """A slice (H, W) without its noise, as far as its filters tell noise from detail."""
    background = read_background(scan, at)
    calm = background.hu.astype(np.float32)
    for hu, place in FILTERS:
        calm = cv2.bilateralFilter(calm, -1, hu * background.noise.deviation, place)
    return np.asarray(np.rint(calm), np.int16)
