"""How well a measurement agrees with another."""

from numpy.typing import ArrayLike

from lesions.recist import Recist


def diameters(predicted: Recist, truth: Recist, spacing: ArrayLike) -> dict[str, float]:
    """Absolute differences of the lengths, mm.

    Args:
        predicted: (x, y) pixels.
        truth: likewise.
        spacing: (x, y, …) mm per pixel.

    Returns:
        long_axis_error and short_axis_error.
    """
    pairs = zip(predicted.diameters_mm(spacing), truth.diameters_mm(spacing), strict=True)
    long, short = (abs(ours - theirs) for ours, theirs in pairs)
    return {"long_axis_error": long, "short_axis_error": short}
