"""Lesions by size: the classes of their long axis."""

from bisect import bisect_right
from itertools import pairwise

LIMITS_MM = (10, 20, 30)  # from RECIST 1.1's least size on
SIZES = (
    f"under {LIMITS_MM[0]} mm",
    *(f"{low} to {high} mm" for low, high in pairwise(LIMITS_MM)),
    f"{LIMITS_MM[-1]} mm and more",
)


def size_of(long_axis_mm: float) -> str:
    """Of `SIZES`; each class begins with its lower limit.

    >>> size_of(9.99), size_of(10)
    ('under 10 mm', '10 to 20 mm')
    """
    return SIZES[bisect_right(LIMITS_MM, long_axis_mm)]
