"""The click: where it may fall, and the two images that tell a network of it (PDNet)."""

import numpy as np
from numpy.typing import NDArray

from lesions.ellipse import ellipse
from lesions.heatmaps import gaussian
from lesions.recist import Recist


def click_region(recist: Recist, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a radiologist would click: the ellipse at half its area, bool (H, W), never empty."""
    return ellipse(recist, shape, scale=0.5)


def random_click(
    recist: Recist, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """A pixel (x, y) of the click region, each as likely as the next."""
    row, column = divmod(int(rng.choice(np.flatnonzero(click_region(recist, shape)))), shape[1])
    return float(column), float(row)


def click_prior(
    click: tuple[float, float], shape: tuple[int, int], sigma: float
) -> NDArray[np.float32]:
    """The click image and the distance image.

    Args:
        click: (x, y) pixels.
        shape: (H, W).
        sigma: the Gaussian's standard deviation, pixels.

    Returns:
        float32 (2, H, W): a Gaussian with peak 1 at the click, and the Euclidean distance from
        the click, divided by that of the pixel furthest away.
    """
    x = np.arange(shape[1], dtype=np.float32) - np.float32(click[0])
    y = np.arange(shape[0], dtype=np.float32) - np.float32(click[1])
    prior = np.empty((2, *shape), dtype=np.float32)
    np.multiply(gaussian(y, sigma)[:, None], gaussian(x, sigma), out=prior[0])
    furthest = max(float(np.hypot(np.abs(x).max(), np.abs(y).max())), 1.0)
    np.add(np.square(y / furthest)[:, None], np.square(x / furthest), out=prior[1])
    np.minimum(np.sqrt(prior[1], out=prior[1]), 1, out=prior[1])
    return prior
