"""A square view of a slice: one affine map for image, mask and endpoints alike."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of the slice, seen by the network as (size, size).

    Attributes:
        centre: (x, y) of the square's middle, slice pixels.
        side: the square's side, slice pixels.
        size: the network's input size, pixels.
        angle: the square's rotation, degrees.
        flip_x, flip_y: mirror the view along its axis.
    """

    centre: tuple[float, float]
    side: float
    size: int
    angle: float = 0.0
    flip_x: bool = False
    flip_y: bool = False

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3), slice pixels → network pixels, both with pixel centres at integers."""
        turn = np.deg2rad(self.angle)
        flips = np.diag([-1.0 if self.flip_x else 1.0, -1.0 if self.flip_y else 1.0])
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = (self.size / self.side) * flips @ rotation
        # The square's middle falls on the view's middle, (size - 1) / 2 in pixel centres.
        shift = (self.size - 1) / 2 - linear @ np.asarray(self.centre)
        return np.column_stack([linear, shift])

    @property
    def inverse(self) -> NDArray[np.float64]:
        """(2, 3), network pixels → slice pixels."""
        return np.asarray(cv2.invertAffineTransform(self.matrix), dtype=np.float64)

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) slice pixels → network pixels."""
        return apply(self.matrix, points)

    def image(
        self, slice_hu: NDArray[np.int16], window: tuple[float, float]
    ) -> NDArray[np.float32]:
        """The windowed slice, 0…1, (size, size); outside the slice is 0, the window's low end."""
        low, high = window
        windowed = (np.clip(slice_hu, low, high).astype(np.float32) - low) / (high - low)
        shrink = self.side / self.size
        if shrink > 1.5:  # linear interpolation skips pixels when it shrinks: smooth first
            windowed = cv2.GaussianBlur(windowed, (0, 0), 0.4 * shrink)
        return self._warp(windowed, cv2.INTER_LINEAR)

    def labels(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The label image, (size, size); outside the slice is background."""
        return self._warp(labels, cv2.INTER_NEAREST)

    def back(self, view: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
        """A network image put back into a slice of `shape` (H, W); 0 outside the square."""
        height, width = shape
        return np.asarray(
            cv2.warpAffine(
                view, self.inverse, (width, height), flags=cv2.INTER_LINEAR, borderValue=0.0
            )
        )

    def _warp(self, image: NDArray[Any], interpolation: int) -> NDArray[Any]:
        size = (self.size, self.size)
        return np.asarray(
            cv2.warpAffine(image, self.matrix, size, flags=interpolation, borderValue=0.0)
        )


def apply(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """An affine map (2, 3) of points (N, 2)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])
