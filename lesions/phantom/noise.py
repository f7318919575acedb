"""A scan's noise: measured where it is even, and made anew with the same spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesions.phantom.stacks import along_z, distances

PATCH = 32  # pixels
EVENEST = 0.1  # of the soft patches: the rest has structure
DEFAULT_DEVIATION = 12.0  # HU, white, where a scan has no even patch
NEIGHBOURS_PATCH = 16  # pixels; a chest has few larger ones that are even on two slices
FEWEST = 10  # even patches that tell how neighbouring slices correlate
PAIRS = 24  # of neighbouring slices that are looked at
MOST_ALIKE = 0.49  # more cannot be where a slice but one away has no noise in common


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """What a scan's noise looks like.

    Attributes:
        amplitude: (PATCH, PATCH), the root of its power by frequency as `numpy.fft.fft2` has them,
            of unit mean power.
        deviation: its standard deviation in HU.
    """

    amplitude: NDArray[np.float64]
    deviation: float

    def draw(
        self, response: NDArray[np.float64], shape: tuple[int, int], random: np.random.Generator
    ) -> NDArray[np.float32]:
        """Noise (H, W), its phases random; `response` is the spectrum at this shape."""
        height, width = (max(side, PATCH) for side in shape)
        waves = np.fft.rfft2(random.standard_normal((height, width))) * response
        made = np.fft.irfft2(waves, (height, width)) * self.deviation
        return np.asarray(made[: shape[0], : shape[1]], np.float32)


def _response(amplitude: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """An amplitude of `PATCH` frequencies at those of a larger slice, as `rfft2` has them."""
    height, width = (max(side, PATCH) for side in shape)
    rows = np.fft.fftfreq(height)[:, None] * PATCH
    columns = np.fft.rfftfreq(width)[None, :] * PATCH
    places = np.broadcast_arrays(rows % PATCH, columns % PATCH)
    return np.asarray(ndimage.map_coordinates(amplitude, places, order=1, mode="grid-wrap"))


def draw_through(
    noises: Sequence[Noise],
    slices: Sequence[int],
    neighbours: float,
    shape: tuple[int, int],
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Noise (D, H, W) of some slices of a scan.

    Args:
        noises: of each slice.
        slices: which they are.
        neighbours: the correlation of one with the next; those further apart have none.
        shape: (H, W).
        random: the source.
    """
    # Slices of one scan share its spectrum: to bring it to their size takes as long as a slice.
    shared = {id(noise.amplitude): noise.amplitude for noise in noises}
    responses = {key: _response(amplitude, shape) for key, amplitude in shared.items()}
    fields = np.stack([noise.draw(responses[id(noise.amplitude)], shape, random)
                       for noise in noises])  # fmt: skip
    if len(fields) == 1:
        return fields
    apart = distances(slices)
    deviations = np.array([max(noise.deviation, 1e-6) for noise in noises], np.float32)
    deviations = deviations[:, None, None]
    alike = np.where(apart == 0, 1.0, np.where(apart == 1, neighbours, 0.0))
    return np.asarray(along_z(fields / deviations, alike) * deviations)


def neighbours_of(scan: NDArray[np.int16]) -> float:
    """How far the noise of neighbouring slices of a scan (D, H, W) correlates, 0…`MOST_ALIKE`.

    By patches that are soft and even on both; 0 where a scan has few of them.
    """
    step = max(1, (len(scan) - 1) // PAIRS)
    pairs = [_soft_pair(scan[at : at + 2]) for at in range(0, len(scan) - 1, step)]
    both = np.concatenate([np.empty((0, 2, NEIGHBOURS_PATCH, NEIGHBOURS_PATCH)), *pairs])
    if len(both) * EVENEST < FEWEST:
        return 0.0
    side = NEIGHBOURS_PATCH / 4
    flat = both - ndimage.gaussian_filter(both, (0, 0, side, side), mode="nearest")
    deviations = flat.std(axis=(2, 3)).max(axis=1)
    one, other = np.moveaxis(flat[deviations <= np.quantile(deviations, EVENEST)], 1, 0)
    alike = (one * other).mean() / max(1e-9, np.sqrt((one**2).mean() * (other**2).mean()))
    return float(np.clip(alike, 0.0, MOST_ALIKE))


def _soft_pair(slices: NDArray[np.int16]) -> NDArray[np.float64]:
    """The patches (N, 2, …) that are soft tissue on both of two slices."""
    tiles = np.stack([_tiles(one, NEIGHBOURS_PATCH) for one in slices.astype(np.float64)], axis=1)
    return tiles[_are_soft(tiles).all(axis=1)]


def noise_of(slices: NDArray[np.int16]) -> Noise:
    """The noise of slices (N, H, W): the mean spectrum of their most even soft patches."""
    flat = _even_patches(slices.astype(np.float64))
    if not len(flat):
        return Noise(amplitude=np.ones((PATCH, PATCH)), deviation=DEFAULT_DEVIATION)
    window = np.outer(np.hanning(PATCH), np.hanning(PATCH))
    power = (np.abs(np.fft.fft2(flat * window)) ** 2).mean(axis=0)
    # Few patches leave it ragged; it is smooth, and as much at a frequency as at its opposite.
    power = ndimage.gaussian_filter(power, 0.5, mode="wrap")
    power = (power + np.roll(power[::-1, ::-1], 1, axis=(0, 1))) / 2
    return Noise(amplitude=np.sqrt(power / power.mean()), deviation=float(flat.std()))


def deviation_of(hu: NDArray[np.int16], otherwise: float) -> float:
    """The noise's deviation in one slice (H, W), which noise comes and goes with; HU."""
    flat = _even_patches(hu[None].astype(np.float64))
    return float(flat.std()) if len(flat) else otherwise


def _even_patches(slices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The most even soft patches (N, PATCH, PATCH), their slow changes taken out."""
    patches = _soft_patches(slices)
    if not len(patches):
        return patches
    flat = patches - ndimage.gaussian_filter(patches, (0, 8, 8), mode="nearest")
    deviations = flat.std(axis=(1, 2))
    return np.asarray(flat[deviations <= np.quantile(deviations, EVENEST)])


def _soft_patches(slices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Patches (N, PATCH, PATCH) that are soft tissue all over."""
    found = [tiles[_are_soft(tiles)] for tiles in (_tiles(one, PATCH) for one in slices)]
    return np.concatenate(found) if found else np.empty((0, PATCH, PATCH))


def _tiles(one: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """A slice (H, W) as squares (N, side, side)."""
    height, width = (length // side * side for length in one.shape)
    tiles = one[:height, :width].reshape(height // side, side, width // side, side)
    return tiles.transpose(0, 2, 1, 3).reshape(-1, side, side)


def _are_soft(tiles: NDArray[np.float64]) -> NDArray[np.bool_]:
    middle, deviation = tiles.mean(axis=(-2, -1)), tiles.std(axis=(-2, -1))
    return np.asarray((middle > 0) & (middle < 160) & (deviation < 45))
