"""A mask's outline as the measured figures know it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.outline import lesion_outline
from lesions.recist import Recist


def outline_harmonics(mask: NDArray[Any], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """(11,): amplitudes of the logarithm of the radius about the mask's middle, 0 to 10.

    In the frame where the ellipse of the two axes is the unit circle.
    """
    scale = np.array(spacing[:2])
    recist = Recist.from_mask(mask.astype(np.uint8), spacing)
    long, short = recist.diameters_mm(spacing)
    rows, columns = np.nonzero(mask)
    along = (recist.points[1] - recist.points[0]) * scale / long
    from_middle = (lesion_outline(mask > 0).vertices - [columns.mean(), rows.mean()]) * scale
    x = from_middle @ along / (long / 2)
    y = from_middle @ np.array([-along[1], along[0]]) / (short / 2)
    angle, radius = np.arctan2(y, x), np.log(np.hypot(x, y))
    order = np.argsort(angle)
    evenly = np.linspace(-np.pi, np.pi, 256, endpoint=False)
    sampled = np.interp(evenly, angle[order], radius[order], period=2 * np.pi)
    return np.asarray(np.abs(np.fft.rfft(sampled)[:11]) / 128)
