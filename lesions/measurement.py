"""A RECIST measurement in millimetres, and what users take from one."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lesions.recist import Recist

LEAST_MM, LEAST_NODE_MM = 10.0, 15.0  # of a measurable lesion and lymph node, RECIST 1.1


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A RECIST measurement that carries its spacing, so that nobody passes it twice.

    Attributes:
        recist: the four endpoints, (x, y) pixels.
        spacing: (x, y, …) mm per pixel.
    """

    recist: Recist
    spacing: tuple[float, ...]

    @classmethod
    def from_mask(cls, mask: NDArray[Any], spacing: tuple[float, ...]) -> "Measurement":
        """Measure a mask (H, W); errors as `Recist.from_mask`."""
        return cls(recist=Recist.from_mask(mask, spacing), spacing=spacing)

    @property
    def diameters_mm(self) -> tuple[float, float]:
        """The lengths (long, short) of the two axes, mm."""
        return self.recist.diameters_mm(self.spacing)

    @property
    def who_product_mm2(self) -> float:
        """The product of both diameters, mm²: the size of a lesion by the WHO's criteria of 1979.

        >>> recist = Recist([[10, 20], [40, 20], [25, 12], [25, 32]])
        >>> Measurement(recist=recist, spacing=(0.8, 0.8, 5.0)).who_product_mm2
        384.0
        """
        long, short = self.diameters_mm
        return long * short

    def measurable(self, *, node: bool = False) -> bool:
        """Whether RECIST 1.1 would measure it on CT in slices of at most 5 mm.

        Args:
            node: whether it is a lymph node, which the caller says: its short axis counts then,
                from 15 mm on; of any other lesion the long axis, from 10 mm on.
        """
        long, short = self.diameters_mm
        return short >= LEAST_NODE_MM if node else long >= LEAST_MM
