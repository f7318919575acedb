"""Where a lesion's pixels meet background, in order around it: marching squares' vertices.

Of a binary image at level 0.5 they are the middles of the sides between the two, so OpenCV's walk
from pixel to pixel along the border tells them all: at each pixel, the sides between the one it
comes from and the one it goes to.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# The octant of a step (x, y) between neighbours, at [y + 1, x + 1]: 0 to the right, 2 down.
_OCTANT = np.array([[5, 6, 7], [4, 0, 0], [3, 2, 1]])
# The middles of a pixel's right, lower, left and upper side, from its centre.
_SIDES = np.array([[0.5, 0.0], [0.0, 0.5], [-0.5, 0.0], [0.0, -0.5]])


def boundary(filled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The vertices (N, 2), (x, y) pixels, clockwise as an image is shown, each once.

    The first lies below the last pixel of the lowest row. `skimage.measure.find_contours` gives the
    same in the same order, in 20 times as long where a lesion winds.

    Args:
        filled: bool (H, W), one 8-connected lesion without holes, with background at the border.
    """
    (chain,), _ = cv2.findContours(filled.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pixels = chain[::-1, 0]
    x, y = (np.roll(pixels, -1, axis=0) - pixels).T
    ahead = _OCTANT[y + 1, x + 1]
    back = (np.roll(ahead, 1) + 4) % 8
    # Background lies in the octants that are passed between the two; of one pixel alone, in all.
    passed = (ahead - back - 1) % 8 if len(pixels) > 1 else np.array([8])
    sides = (back + passed) // 2 - back // 2
    pixel = np.repeat(np.arange(len(pixels)), sides)
    nth = np.arange(len(pixel)) - (np.cumsum(sides) - sides)[pixel]
    vertices = pixels[pixel] + _SIDES[((back // 2)[pixel] + 1 + nth) % 4]
    lowest = np.flatnonzero(vertices[:, 1] == vertices[:, 1].max())
    return np.roll(vertices, -lowest[np.argmax(vertices[lowest, 0])], axis=0)
