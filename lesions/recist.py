"""RECIST: a lesion's longest diameter, and the longest one perpendicular to it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.labels import as_labels, check_lesion
from lesions.outline import longest_axes


@dataclass(frozen=True, init=False, eq=False)
class Recist:
    """The four endpoints of a RECIST measurement, in canonical order.

    The first pair given stays the long axis even where it is not the longer one: annotations say
    which is which. Only the two ends of an axis swap: the long axis starts at its smaller x (tie:
    smaller y), the short axis at its smaller y (tie: smaller x).

    Attributes:
        points: float64 (4, 2), read-only, (x, y) pixels with pixel centres at integers:
            long axis start and end, short axis start and end.
    """

    points: NDArray[np.float64]

    def __init__(self, points: ArrayLike) -> None:
        """Order `points` (4, 2).

        Raises:
            ValueError: another shape, a number that is not finite, an axis of zero length.
        """
        given = np.asarray(points, dtype=np.float64)
        if given.shape != (4, 2):
            raise ValueError(f"RECIST endpoints have the shape (4, 2), not {given.shape}")
        if not np.isfinite(given).all():
            raise ValueError(f"a RECIST endpoint is not finite: {given.tolist()}")
        (a, b), (c, d) = given[:2].tolist(), given[2:].tolist()
        if a == b or c == d:
            raise ValueError(f"a RECIST axis has zero length: {given.tolist()}")
        ordered = given[canonical_order(given)] + 0.0
        ordered.flags.writeable = False
        object.__setattr__(self, "points", ordered)

    def __eq__(self, other: object) -> bool:
        """Whether all endpoints are the same, to the bit."""
        return isinstance(other, Recist) and np.array_equal(self.points, other.points)

    def __hash__(self) -> int:
        """Equal measurements hash the same."""
        return hash(self.points.tobytes())

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor: a pickled array comes back writeable."""
        return Recist, (np.array(self.points),)

    @classmethod
    def from_mask(cls, mask: NDArray[Any], spacing: ArrayLike) -> "Recist":
        """Measure a mask (H, W): any positive label is lesion, 255 (uncertain) is not.

        The lesion is the largest 8-connected component, holes filled; its outline is marching
        squares at level 0.5, so vertices lie half way between pixel centres. The long axis is
        the longest segment in mm between two vertices that nowhere leaves the lesion (RECIST
        1.1); the short axis is the longest chord of the lesion exactly perpendicular to it in mm.
        Of equally long axes the one with the longest perpendicular is taken, which is the long axis
        where it is longer still; of equal chords the one nearest the long axis' middle. Flips and
        quarter turns of the mask, with its spacing, change neither length, and move the ends along
        unless the lesion is its own mirror image.

        Args:
            mask: (H, W); `lesions.labels.as_labels` says what its values mean.
            spacing: (x, y, …) mm per pixel.

        Raises:
            InputError: no pixel of the mask is lesion; one of 0 and 255 is all uncertain; or see
                `as_labels`.
            ValueError: another shape, or a bad spacing.
        """
        labels = as_labels(mask)
        lesion = labels == 1
        check_lesion(lesion, labels)
        return cls(longest_axes(lesion, _in_plane(spacing)))

    def diameters_mm(self, spacing: ArrayLike) -> tuple[float, float]:
        """The lengths (long, short) of the two axes in mm; `spacing` is (x, y, …) mm.

        >>> recist = Recist([[10, 20], [40, 20], [25, 12], [25, 32]])
        >>> recist.diameters_mm((0.8, 0.8, 5.0))
        (24.0, 16.0)
        """
        long, short = (self.points[1::2] - self.points[::2]) * _in_plane(spacing)
        return float(np.hypot(*long)), float(np.hypot(*short))

    @property
    def axes_cross(self) -> bool:
        """Whether the two segments meet, at an end included."""
        return self._crossing() is not None

    @property
    def centre(self) -> NDArray[np.float64]:
        """(x, y) where the two axes cross; where they do not, the mean of the endpoints."""
        crossing = self._crossing()
        return np.asarray(self.points.mean(axis=0) if crossing is None else crossing)

    def _crossing(self) -> NDArray[np.float64] | None:
        p, q, r, s = self.points
        along, across = q - p, s - r
        area = along[0] * across[1] - along[1] * across[0]
        if area == 0:
            return None
        offset = r - p
        t = (offset[0] * across[1] - offset[1] * across[0]) / area
        u = (offset[0] * along[1] - offset[1] * along[0]) / area
        return np.asarray(p + t * along) if 0 <= t <= 1 and 0 <= u <= 1 else None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1), the smallest box that holds the endpoints."""
        (x0, y0), (x1, y1) = self.points.min(axis=0), self.points.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    def stretched(self, long: float, short: float) -> NDArray[np.float64]:
        """The endpoints (4, 2) with each axis scaled about `centre` by a factor of its own."""
        factors = np.array([long, long, short, short])[:, None]
        return np.asarray((self.points - self.centre) * factors + self.centre)

    def at_offset(self, mm: float, spacing: ArrayLike = (1.0, 1.0)) -> "Recist | None":
        """The measurement estimated on a slice `mm` away, as if the lesion were a ball (WSSS 3.3).

        Every endpoint moves towards `centre`, which stays, by the factor √(1 − mm²/a²), a half the
        long axis in mm. Also axes that do not cross shrink about `centre`.

        Args:
            mm: distance to the key slice, of either sign.
            spacing: (x, y, …) mm per pixel; without it the offset is in pixels.

        Returns:
            None at a distance of a or more, and where nothing is left of an axis.

        Raises:
            ValueError: `mm` is not a number.
        """
        if np.isnan(mm):
            raise ValueError(f"the offset is in mm, not {mm}")
        part = 2 * mm / self.diameters_mm(spacing)[0]
        if abs(part) >= 1:
            return None
        factor = np.sqrt(1 - part**2)
        points = self.points * factor + self.centre * (1 - factor)
        return None if (points[::2] == points[1::2]).all(axis=1).any() else Recist(points)

    def transformed(self, matrix: ArrayLike) -> "Recist":
        """The measurement after an affine map (2, 3) of (x, y), again in canonical order."""
        affine = np.asarray(matrix, dtype=np.float64)
        if affine.shape != (2, 3):
            raise ValueError(f"an affine map of the plane has the shape (2, 3), not {affine.shape}")
        return Recist(self.points @ affine[:, :2].T + affine[:, 2])


def canonical_order(points: NDArray[np.float64]) -> list[int]:
    """The order of endpoints (4, 2) in a `Recist`: the ends of an axis may be swapped."""
    # Lists compare by x, then y; reversed, by y, then x.
    a, b, c, d = points.tolist()
    return [*((1, 0) if b < a else (0, 1)), *((3, 2) if d[::-1] < c[::-1] else (2, 3))]


def _in_plane(spacing: ArrayLike) -> NDArray[np.float64]:
    scale = np.asarray(spacing, dtype=np.float64).ravel()[:2]
    if scale.shape != (2,) or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"spacing is (x, y, …) in mm, positive, not {spacing!r}")
    return scale
