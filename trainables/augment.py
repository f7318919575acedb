"""What training samples of several systems have in common: random squares and intensities."""

import cv2
import numpy as np
from numpy.typing import NDArray

from trainables.crops import Crop


def random_crop(
    centre: tuple[float, float],
    side: float,
    reach: float,
    size: int,
    rng: np.random.Generator,
    *,
    rotation: float,
    flips: bool,
) -> Crop:
    """A square moved, turned and mirrored at random.

    Args:
        centre: (x, y) of its middle before it is moved, slice pixels.
        side: slice pixels.
        reach: how far it is moved at most, along x and along y, slice pixels.
        size: of the network's input, pixels.
        rng: all that is random.
        rotation: largest angle, degrees either way.
        flips: mirror along x and along y, each with probability ½.
    """
    dx, dy = rng.uniform(-reach, reach, size=2)
    flip_x, flip_y = (rng.random(2) < 0.5) & flips
    return Crop(
        centre=(centre[0] + dx, centre[1] + dy),
        side=side,
        size=size,
        angle=rng.uniform(-rotation, rotation),
        flip_x=bool(flip_x),
        flip_y=bool(flip_y),
    )


def change_intensity(
    image: NDArray[np.float32], most: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The image (S, S), 0…1, with contrast and brightness changed by at most this fraction."""
    contrast, brightness = rng.uniform(-most, most, size=2)
    changed = (image - 0.5) * (1 + contrast) + 0.5 + brightness
    return np.asarray(np.clip(changed, 0, 1), dtype=np.float32)


def blur(image: NDArray[np.float32], most: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """The image (S, S) under a Gaussian of a deviation of 0 to `most` pixels."""
    sigma = rng.uniform(0, most) if most else 0.0
    if sigma < 0.1:  # of no effect on the next pixel
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)
