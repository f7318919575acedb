"""What people's masks and marks of real lesions measure: the figures that a made one follows.

564 key slices of ULS23's masks of DeepLesion of 60 pixels and more; 909 nodules of LIDC-IDRI, each
outlined by four readers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.05, 0.25, 0.50, 0.75, 0.95)
# rms amplitudes of harmonics 1 to 10 of the logarithm of the outline's radius, in the frame where
# the ellipse of the two axes is the unit circle.
HARMONICS = (0.016, 0.064, 0.076, 0.050, 0.029, 0.022, 0.020, 0.017, 0.014, 0.013)
MARK_SHORTER = 0.08  # than the mask measures
MARK_DISPLACED = 0.04  # of the length
# Deviation by the mask's length: between four readers' extremes lie 0.18 of what they mark, which
# is 0.92 of the mask's, and in the median 1.98 deviations.
READERS_SPREAD = 0.18 * (1 - MARK_SHORTER) / 1.98


@dataclass(frozen=True)
class Quantiles:
    """A measured distribution, known by its values at `LEVELS`.

    Attributes:
        values: ascending, positive.
    """

    values: tuple[float, float, float, float, float]

    def at(self, level: float) -> float:
        """The value at a level in 0…1; beyond the outer ones it goes on to 4 % past them at most.

        Between levels the logarithm is linear.
        """
        logs = np.log(self.values)
        ends = np.array([logs[0] - 0.04, *logs, logs[-1] + 0.04])
        return float(np.exp(np.interp(level, (0.0, *LEVELS, 1.0), ends)))

    def draw(self, random: np.random.Generator) -> float:
        """One value."""
        return self.at(float(random.uniform()))


LONG_AXIS_MM = Quantiles((9, 11, 13, 16, 27))
SHORT_BY_LONG = Quantiles((0.55, 0.70, 0.79, 0.86, 0.94))
Z_EXTENT_BY_LONG = Quantiles((0.33, 0.61, 0.86, 1.25, 2.21))
# Of π/6 · long · short²; it follows from the others, and is no input.
VOLUME_RATIO = Quantiles((0.39, 0.76, 1.09, 1.57, 2.85))


def quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values at `LEVELS` of a sample."""
    return np.quantile(values, LEVELS)
