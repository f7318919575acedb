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


def random_view(
    bounds: tuple[float, float, float, float],
    size: int,
    rng: np.random.Generator,
    *,
    side: tuple[float, float],
    shift: float,
    rotation: float,
    flips: bool,
) -> Crop:
    """A random square about a lesion's box, which stays inside as long as it is level.

    Args:
        bounds: of the box, (x0, y0, x1, y1), slice pixels.
        size: of the network's input, pixels.
        rng: all that is random.
        side: least and largest side, in long sides of the box.
        shift: how far the middle is moved at most, in long sides of the box.
        rotation, flips: of `random_crop`.
    """
    x0, y0, x1, y1 = bounds
    long_side = max(x1 - x0, y1 - y0)
    length = long_side * rng.uniform(*side)
    reach = min(shift * long_side, (length - long_side) / 2)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    return random_crop(middle, length, reach, size, rng, rotation=rotation, flips=flips)


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
