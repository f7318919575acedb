"""Both stages in order: a click on a slice → mask and RECIST (section 2 of the paper)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import InputError, Recist
from lesions.heatmaps import endpoints
from trainables.checkpoint import load_best
from trainables.crops import Crop
from trainables.pdnet.config import PDNetConfig
from trainables.pdnet.model import Outputs
from trainables.pdnet.samples import (
    Point,
    slice_centre,
    slice_input,
    to_slice,
)

PROTOCOL = "Both stages in order: given are the slice and a click."
FALLBACK_MM = 20.0  # the long side of a lesion that stage 1 did not find
SPREAD_FLOOR = 0.1  # of a map's peak: what is below is the network's noise
FLIPS = ((False, False), (True, False), (False, True), (True, True))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One trained stage."""

    config: PDNetConfig
    model: nn.Module


@dataclass(frozen=True, kw_only=True)
class ClickResult:
    """What a click found, in the slice's own pixels.

    Attributes:
        mask: uint8 (H, W), 1 = lesion.
        recist: the four endpoints below a pixel, or None where those of an axis coincide.
        spread_mm: of each endpoint's heat map, in the order of `recist`; see `spread_mm`. None
            where a map has no peak above 0.
        peaks: each map's highest value, likewise; 1 is what it was trained for.
        crop: what stage 2 saw.
        found: whether stage 1 found the click's lesion; without it the crop is FALLBACK_MM's.
        seconds: taken by "stage1" and "stage2".
    """

    mask: NDArray[np.uint8]
    recist: Recist | None
    spread_mm: tuple[float | None, ...]
    peaks: tuple[float, ...]
    crop: Crop
    found: bool
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class TwoStages:
    """Both stages, ready to answer clicks.

    Attributes:
        stage1, stage2: their models are on `device` and in evaluation mode.
        device: where they run.
        precision: of the forward pass; None = float32.
        tta: average each stage over the four mirrored views.
    """

    stage1: Stage
    stage2: Stage
    device: torch.device
    precision: torch.dtype | None = None
    tta: bool = False

    def __call__(
        self,
        slice_hu: NDArray[np.int16],
        window: tuple[float, float],
        spacing: Sequence[float],
        click: Point,
    ) -> ClickResult:
        """Mask and RECIST of the lesion at a click.

        Stage 1 sees the whole slice; the part of its segmentation that holds the click, or else is
        nearest to it, gives stage 2's crop of `test_side` × its long side. Where it segments
        nothing, or so far away that such a crop would leave the click out, the crop *(ours)* is
        around the click, for a lesion of FALLBACK_MM.

        Args:
            slice_hu: HU (H, W).
            window: (low, high) HU.
            spacing: (x, y, …) mm.
            click: (x, y) pixels, within the slice.

        Raises:
            ValueError: the click lies outside.
        """
        shape = slice_hu.shape[0], slice_hu.shape[1]
        x, y = click
        if not (-0.5 <= x < shape[1] - 0.5 and -0.5 <= y < shape[0] - 0.5):
            raise ValueError(f"the click {click} lies outside the slice (H, W) = {shape}")
        start = time.perf_counter()
        config = self.stage1.config
        whole = Crop(centre=slice_centre(shape), side=float(max(shape)), size=config.input_size)
        probability, _ = self._run(self.stage1, slice_hu, window, whole, click)
        part = part_at(whole.back(probability, shape) > 0.5, click)
        crop = crop_around(self.stage2.config, part, click)
        found = crop is not None
        if crop is None:
            side = self.stage2.config.samples.test_side * FALLBACK_MM / min(spacing[:2])
            crop = Crop(centre=click, side=side, size=self.stage2.config.input_size)
        between = time.perf_counter()
        probability, maps = self._run(self.stage2, slice_hu, window, crop, click)
        points, peaks = endpoints(maps)
        order = canonical_order(points)
        points, peaks, maps = points[order], peaks[order], maps[order]
        return ClickResult(
            mask=(crop.back(probability, shape) > 0.5).astype(np.uint8),
            recist=to_slice(crop, points),
            spread_mm=spread_mm(maps, points, crop, spacing),
            peaks=tuple(peaks.tolist()),
            crop=crop,
            found=found,
            seconds={"stage1": between - start, "stage2": time.perf_counter() - between},
        )

    @torch.inference_mode()
    def _run(
        self,
        stage: Stage,
        slice_hu: NDArray[np.int16],
        window: tuple[float, float],
        crop: Crop,
        click: Point,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probability (S, S) and heat maps (4, S, S) of a view."""
        image = torch.from_numpy(slice_input(stage.config, slice_hu, window, crop, click))
        flips = FLIPS if self.tta else FLIPS[:1]
        views = torch.stack([flipped(image, *flip) for flip in flips])
        views = views.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(
            self.device.type, dtype=self.precision, enabled=self.precision is not None
        ):
            outputs: Outputs = stage.model(views)
        masks = torch.sigmoid(outputs.masks[-1].float()).cpu()
        maps = outputs.heatmaps[-1].float().cpu()
        mask = sum_of([flipped(each, *flip) for each, flip in zip(masks, flips, strict=True)])
        heat = sum_of([unflipped_maps(each, *flip) for each, flip in zip(maps, flips, strict=True)])
        return (mask / len(flips)).numpy()[0], (heat / len(flips)).numpy()


def load_two_stages(
    stage1: Path,
    stage2: Path,
    device: torch.device,
    *,
    precision: torch.dtype | None = None,
    tta: bool = False,
) -> TwoStages:
    """Both stages from the folders of their checkpoints.

    Raises:
        InputError: no checkpoint there, one that was cut off, of another system or other stage.
    """
    stages = []
    for number, folder in ((1, stage1), (2, stage2)):
        system, config, model = load_best(folder, device)
        if system.name != "pdnet" or config.stage != number:
            raise InputError(
                f"holds {system.name} stage {getattr(config, 'stage', '–')}, "
                f"not pdnet stage {number}",
                file=folder,
            )
        stages.append(Stage(config=config, model=model))
    return TwoStages(
        stage1=stages[0], stage2=stages[1], device=device, precision=precision, tta=tta
    )


def part_at(segmentation: NDArray[np.bool_], click: Point) -> NDArray[np.bool_]:
    """The 8-connected part (H, W) that holds the click or is nearest to it; empty for none."""
    rows, columns = np.nonzero(segmentation)
    if not len(rows):
        return segmentation
    nearest = int(np.argmin(np.hypot(columns - click[0], rows - click[1])))
    _, labels = cv2.connectedComponents(segmentation.astype(np.uint8), connectivity=8)
    return np.asarray(labels == labels[rows[nearest], columns[nearest]])


def crop_around(config: PDNetConfig, part: NDArray[np.bool_], click: Point) -> Crop | None:
    """Stage 2's crop, `test_side` × the part's long side; None without a part, or a click in it."""
    rows, columns = np.nonzero(part)
    if not len(rows):
        return None
    (x0, x1), (y0, y1) = ((float(v.min()), float(v.max())) for v in (columns, rows))
    side = config.samples.test_side * (max(x1 - x0, y1 - y0) + 1)
    centre = (x0 + x1) / 2, (y0 + y1) / 2
    if max(abs(click[0] - centre[0]), abs(click[1] - centre[1])) > side / 2:
        return None
    return Crop(centre=centre, side=side, size=config.input_size)


def flipped(image: Tensor, flip_x: bool, flip_y: bool) -> Tensor:
    """An image (…, S, S) mirrored along x, y, both or neither."""
    return image.flip([axis for axis, flip in ((-1, flip_x), (-2, flip_y)) if flip])


def unflipped_maps(maps: Tensor, flip_x: bool, flip_y: bool) -> Tensor:
    """Heat maps (4, S, S) of a mirrored view, as the view itself has them.

    The long axis starts at its smaller x and the short one at its smaller y: mirroring along x
    swaps the long axis' ends, along y the short one's.
    """
    order = [1, 0] if flip_x else [0, 1]
    order += [3, 2] if flip_y else [2, 3]
    return flipped(maps[order], flip_x, flip_y)


def canonical_order(points: NDArray[np.float64]) -> list[int]:
    """The order of endpoints (4, 2) in a RECIST: a network may find two of them swapped."""
    a, b, c, d = (tuple(point) for point in points.tolist())
    return [*((1, 0) if b < a else (0, 1)), *((3, 2) if d[::-1] < c[::-1] else (2, 3))]


def sum_of(tensors: Sequence[Tensor]) -> Tensor:
    """Their sum, in order."""
    return torch.stack(list(tensors)).sum(dim=0)


def spread_mm(
    maps: NDArray[np.float32],
    points: NDArray[np.float64],
    crop: Crop,
    spacing: Sequence[float],
) -> tuple[float | None, ...]:
    """How far each heat map spreads about its summit, in mm: an endpoint's uncertainty.

    The weighted standard deviation per axis of what is above SPREAD_FLOOR of the peak. A Gaussian
    as in training, of standard deviation σ, gives 0.86 σ; a map with two hills, half their distance
    and more.

    Args:
        maps: (4, S, S).
        points: (4, 2), (x, y) of their summits.
        crop: the maps' view of the slice.
        spacing: (x, y, …) mm of the slice.
    """
    scale = crop.inverse[:, :2] * np.asarray(spacing[:2])[:, None]
    return tuple(_spread(each, point, scale) for each, point in zip(maps, points, strict=True))


def _spread(
    heat: NDArray[np.float32], point: NDArray[np.float64], scale: NDArray[np.float64]
) -> float | None:
    peak = float(heat.max())
    if not peak > 0:
        return None
    rows, columns = np.nonzero(heat > SPREAD_FLOOR * peak)
    weights = heat[rows, columns].astype(np.float64)
    offsets = (np.column_stack([columns, rows]) - point) @ scale.T
    return float(np.sqrt(weights @ np.square(offsets).sum(axis=1) / (2 * weights.sum())))
