"""What is measured of a lesion on a slice, made or real alike: contrast, edge, spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.optimize import curve_fit
from scipy.special import ndtr

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]

INSIDE_MM = 1.5  # from the outline: what is nearer is blurred
RING_MM = (2.0, 6.0)
EDGE_MM, EDGE_STEP_MM = 5.0, 0.5
CLEAR = 15.0  # HU: edges of fainter lesions are not measured
WIDEST_MM = 4.0  # σ
WINDOW = 8  # pixels
INNER_MM = 1.0  # from the outline: what is nearer has the step in its spectrum
BANDS = ((0.1, 0.2), (0.2, 0.35), (0.35, 0.71))  # cycles a pixel
BAND_NAMES = ("low", "middle", "high")
SOFT = (-250, 300)  # HU: what is beyond is air or bone


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a lesion looks.

    Attributes:
        inside: mean HU inside, away from the outline.
        around: median HU of the ring about it.
        noise: deviation of the slice's noise, HU.
        uneven: standard deviation inside, HU.
        ring_uneven: the same of the ring.
        edge_mm: σ of the Gaussian step that its median profile across the outline is; NaN where the
            contrast is too faint or the profile is no step.
        edge_at_mm: how far outside of the mask's outline that step lies.
    """

    inside: float
    around: float
    noise: float
    uneven: float
    ring_uneven: float
    edge_mm: float
    edge_at_mm: float

    @property
    def contrast(self) -> float:
        """HU above its surroundings."""
        return self.inside - self.around


def signed_mm(mask: Mask, spacing: Sequence[float]) -> Numbers:
    """(H, W): distance to the outline, positive outside."""
    sampling, half = (spacing[1], spacing[0]), (spacing[0] + spacing[1]) / 4
    outside = distance_transform_edt(~mask, sampling=sampling)
    inside = distance_transform_edt(mask, sampling=sampling)
    return np.where(mask, half - inside, outside - half)


def look(
    hu: NDArray[Any], mask: Mask, spacing: Sequence[float], noise: float, *, lung: bool = False
) -> Look | None:
    """Measure a lesion; None where it is too small or too hemmed in.

    Args:
        hu, mask: (H, W).
        spacing: (x, y, …) mm.
        noise: deviation of the slice's noise, HU.
        lung: whether air is what it lies in; else neither air nor bone counts as around it.
    """
    away = signed_mm(mask, spacing)
    values = hu.astype(np.float64)
    of_host = values < -400 if lung else (values > SOFT[0]) & (values < SOFT[1])
    inner = values[away < -INSIDE_MM]
    ring = values[(away > RING_MM[0]) & (away < RING_MM[1]) & of_host]
    if len(inner) < 5 or len(ring) < 20:
        return None
    around = float(np.median(ring))
    clear = abs(inner.mean() - around) >= CLEAR
    near = (np.abs(away) < EDGE_MM) & (of_host | mask if not lung else True)
    edge = edge_of(values[near], away[near]) if clear else (np.nan, np.nan)
    return Look(
        inside=float(inner.mean()), around=around, noise=noise, uneven=float(inner.std()),
        ring_uneven=float(ring.std()), edge_mm=edge[0], edge_at_mm=edge[1],
    )  # fmt: skip


def edge_of(values: Numbers, away: Numbers) -> tuple[float, float]:
    """σ and place (mm, positive outside) of the step that the median profile is; NaN if none.

    The median does not see that a mask is displaced.
    """
    bins = np.rint(away / EDGE_STEP_MM).astype(int)
    places = np.unique(bins)
    profile = np.array([np.median(values[bins == one]) for one in places])
    if len(places) < 8:
        return np.nan, np.nan
    x = places * EDGE_STEP_MM
    start = (profile[0], profile[-1] - profile[0], 0.0, 1.0)
    bounds = ([-2000, -2000, -3, 0.05], [2000, 2000, 3, WIDEST_MM])
    try:
        found, _ = curve_fit(_step, x, profile, start, bounds=bounds)
    except RuntimeError:
        return np.nan, np.nan
    if abs(found[1]) < CLEAR or found[3] > 0.99 * WIDEST_MM:
        return np.nan, np.nan
    return float(found[3]), float(found[2])


def _step(x: Numbers, inside: float, rise: float, place: float, sigma: float) -> Numbers:
    return np.asarray(inside + rise * ndtr((x - place) / sigma))


def band_power(hu: NDArray[Any], within: Mask) -> Numbers | None:
    """(3,): mean power in `BANDS` of the windows that lie within; None without any.

    Args:
        hu, within: (H, W).
    """
    step = slice(None, None, WINDOW // 2)
    whole = sliding_window_view(within, (WINDOW, WINDOW))[step, step].all(axis=(2, 3))
    windows = sliding_window_view(hu, (WINDOW, WINDOW))[step, step][whole].astype(np.float64)
    if not len(windows):
        return None
    flat = windows.reshape(len(windows), -1) @ _without_plane()
    hann = np.hanning(WINDOW + 2)[1:-1]
    power = np.abs(np.fft.fft2(flat.reshape(-1, WINDOW, WINDOW) * np.outer(hann, hann))) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(WINDOW), np.fft.fftfreq(WINDOW)))
    mean = power.mean(axis=0)
    return np.array([mean[(radius > low) & (radius <= high)].mean() for low, high in BANDS])


def _without_plane() -> Numbers:
    """(pixels, pixels): takes the best plane out of a window."""
    y, x = np.mgrid[:WINDOW, :WINDOW].reshape(2, -1) - (WINDOW - 1) / 2
    q, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y], axis=1))
    return np.asarray(np.eye(WINDOW**2) - q @ q.T)
