"""A scan's noise: measured where it is even, and made anew with the same spectrum."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

PATCH = 32  # pixels
EVENEST = 0.1  # of the soft patches: the rest has structure
DEFAULT_DEVIATION = 12.0  # HU, white, where a scan has no even patch


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

    def draw(self, shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
        """Noise (H, W) with this spectrum, its phases random."""
        height, width = (max(side, PATCH) for side in shape)
        rows = np.fft.fftfreq(height)[:, None] * PATCH
        columns = np.fft.rfftfreq(width)[None, :] * PATCH
        places = np.broadcast_arrays(rows % PATCH, columns % PATCH)
        amplitude = ndimage.map_coordinates(self.amplitude, places, order=1, mode="grid-wrap")
        waves = np.fft.rfft2(random.standard_normal((height, width))) * amplitude
        made = np.fft.irfft2(waves, (height, width)) * self.deviation
        return np.asarray(made[: shape[0], : shape[1]], np.float32)


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
    found = []
    for one in slices:
        height, width = (side // PATCH * PATCH for side in one.shape)
        tiles = one[:height, :width].reshape(height // PATCH, PATCH, width // PATCH, PATCH)
        tiles = tiles.transpose(0, 2, 1, 3).reshape(-1, PATCH, PATCH)
        middle = tiles.mean(axis=(1, 2))
        found.append(tiles[(middle > 0) & (middle < 160) & (tiles.std(axis=(1, 2)) < 45)])
    return np.concatenate(found) if found else np.empty((0, PATCH, PATCH))
