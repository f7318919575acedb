"""What the embedder sees of a lesion, and embedding many of them.

A square of 120 mm about the middle of the box, at 1 mm a pixel (LesaNet; both of the config):
the same size of a lesion is the same on every scanner. A prepared set keeps no neighbouring
slices, so the patch is of one *(ours; LesaNet has three)*.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lesions import InputError, Lesion
from lesions.prompts import Case
from lesions.windows import windowed
from trainables.crops import apply
from trainables.embedding.network import Embedder, EmbedderConfig
from trainables.together import together

Bounds = tuple[float, float, float, float]
BATCH = 32
_SMOOTH = 0.4  # pixels of the patch: a Gaussian's deviation where the slice is finer


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A lesion as the embedder sees it.

    Attributes:
        patch: float32 (S, S), 0…1.
        box: (4,), x0, y0, x1, y1, pixels of the patch.
    """

    patch: NDArray[np.float32]
    box: NDArray[np.float32]


def view(
    slice_hu: NDArray[np.int16],
    window: tuple[float, float],
    spacing: tuple[float, ...],
    bounds: Bounds,
    config: EmbedderConfig,
) -> View:
    """The patch about a box.

    Args:
        slice_hu: HU (H, W).
        window: (low, high) HU.
        spacing: (x, y), and maybe z, mm.
        bounds: of the box, x0, y0, x1, y1, pixels of the slice.
        config: of the embedder.
    """
    corners, mm = np.reshape(np.array(bounds), (2, 2)), np.array(spacing[:2])
    longest = float(((corners[1] - corners[0]) * mm).max())
    pixel_mm = config.pixel_mm * max(1.0, longest / config.side_mm)
    scale = mm / pixel_mm  # pixels of the patch, each way, of one of the slice
    shift = (config.pixels - 1) / 2 - scale * corners.mean(axis=0)
    matrix = np.column_stack([np.diag(scale), shift])
    image = windowed(slice_hu, window).astype(np.float32)
    smooth = np.where(scale < 1 / 1.5, _SMOOTH / scale, 0.0)  # linear interpolation skips pixels
    if smooth.any():
        image = np.asarray(cv2.GaussianBlur(
            image, (0, 0), max(smooth[0], 1e-3), sigmaY=max(smooth[1], 1e-3)
        ))  # fmt: skip
    size = (config.pixels, config.pixels)
    patch = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=0.0)
    box = apply(matrix, corners).ravel().astype(np.float32)
    return View(patch=np.asarray(patch, np.float32), box=box)


def view_of(looked_at: Lesion | Case, config: EmbedderConfig) -> View:
    """A lesion with its RECIST's box, or a case with the box of its prompt.

    Raises:
        InputError: the prompt has no extent.
    """
    if isinstance(looked_at, Lesion):
        bounds = looked_at.recist.bounds
    else:
        points = looked_at.prompt.points
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        bounds = (x0, y0, x1, y1)
    if not (bounds[0] < bounds[2] or bounds[1] < bounds[3]):
        raise InputError("a lesion is embedded by its box, and there is none",
                         remedy="say a box or marks")  # fmt: skip
    return view(looked_at.slice_hu, looked_at.window, looked_at.spacing, bounds, config)


def embed(
    model: Embedder,
    looked_at: Iterable[Lesion | Case | View],
    device: torch.device,
    precision: torch.dtype | None = None,
) -> NDArray[np.float32]:
    """The vectors (N, D) of lesions, cases or views of them, in order.

    Args:
        model: on the device, in evaluation mode.
        looked_at: read one batch at a time.
        device: where the model is.
        precision: of the forward pass; None = float32.
    """
    assert not model.training
    views = (one if isinstance(one, View) else view_of(one, model.config) for one in looked_at)
    found = [np.empty((0, model.config.dimension), np.float32)]
    for some in together(views, BATCH):
        patches, boxes = (tensor.to(device) for tensor in stacked(some))
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=precision, enabled=precision is not None),
        ):
            found.append(model(patches, boxes).cpu().numpy())
    return np.concatenate(found)


def stacked(views: list[View]) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches (N, 1, S, S) and boxes (N, 4)."""
    patches = torch.from_numpy(np.stack([one.patch for one in views]))
    return patches[:, None], torch.from_numpy(np.stack([one.box for one in views]))
