"""Both stages in order: a click on a slice → mask and RECIST (section 2 of the paper)."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesions.heatmaps import endpoints, spread_mm
from lesions.masks.parts import part_at
from lesions.prompts import Case
from lesions.recist import canonical_order
from trainables.crops import Crop
from trainables.mirrors import FLIPS, flipped, sum_of
from trainables.pdnet.config import PDNetConfig
from trainables.pdnet.model import Outputs
from trainables.pdnet.samples import Point, slice_input, to_slice, whole_slice
from trainables.system import How, Prediction, Trained

FALLBACK_MM = 20.0  # the long side of a lesion that stage 1 did not find


@dataclass(frozen=True, kw_only=True)
class TwoStages:
    """Both stages, ready to answer clicks.

    Attributes:
        stage1, stage2: their models.
        how: device and precision; with `tta` each stage averages over the four mirrored views.
    """

    stage1: Trained
    stage2: Trained
    how: How

    def __call__(self, case: Case) -> Prediction:
        """Mask and RECIST of the lesion at a click.

        Stage 1 sees the whole slice; the part of its segmentation that holds the click, or else is
        nearest to it, gives stage 2's crop of `test_side` × its long side. Where it segments
        nothing, or so far away that such a crop would leave the click out, the crop *(ours)* is
        around the click, for a lesion of FALLBACK_MM.
        """
        shape, click, spacing = case.shape, case.prompt.middle, case.spacing
        start = time.perf_counter()
        whole = whole_slice(self.stage1.config, shape)
        probability, _ = self._run(self.stage1, case, whole)
        part = part_at(whole.back(probability, shape) > 0.5, click)
        crop = crop_around(self.stage2.config, part, click)
        found = crop is not None
        if crop is None:
            side = self.stage2.config.samples.test_side * FALLBACK_MM / min(spacing[:2])
            crop = Crop(centre=click, side=side, size=self.stage2.config.input_size)
        between = time.perf_counter()
        probability, maps = self._run(self.stage2, case, crop)
        points, peaks = endpoints(maps)
        order = canonical_order(points)
        points, peaks, maps = points[order], peaks[order], maps[order]
        in_slice = crop.back(probability, shape)
        scale = np.asarray(spacing[:2])[:, None]
        return Prediction(
            mask=(in_slice > 0.5).astype(np.uint8),
            probability=in_slice,
            recist=to_slice(crop, points),
            spread_mm=spread_mm(maps, points, crop.inverse[:, :2] * scale),
            peaks=tuple(peaks.tolist()),
            square=(crop.centre, crop.side),
            found=found,
            doubt=""
            if found
            else f"stage 1 found no lesion at the click: measured as one of {FALLBACK_MM:g} mm",
            seconds={"stage1": between - start, "stage2": time.perf_counter() - between},
        )

    @torch.inference_mode()
    def _run(
        self, stage: Trained, case: Case, crop: Crop
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probability (S, S) and heat maps (4, S, S) of a view."""
        how, click = self.how, case.prompt.middle
        image = torch.from_numpy(slice_input(stage.config, case.slice_hu, case.window, crop, click))
        flips = FLIPS if how.tta else FLIPS[:1]
        views = torch.stack([flipped(image, *flip) for flip in flips])
        views = views.to(how.device, memory_format=torch.channels_last)
        with torch.autocast(
            how.device.type, dtype=how.precision, enabled=how.precision is not None
        ):
            outputs: Outputs = stage.model(views)
        masks = torch.sigmoid(outputs.masks[-1].float()).cpu()
        maps = outputs.heatmaps[-1].float().cpu()
        mask = sum_of([flipped(each, *flip) for each, flip in zip(masks, flips, strict=True)])
        heat = sum_of([unflipped_maps(each, *flip) for each, flip in zip(maps, flips, strict=True)])
        return (mask / len(flips)).numpy()[0], (heat / len(flips)).numpy()


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


def unflipped_maps(maps: Tensor, flip_x: bool, flip_y: bool) -> Tensor:
    """Heat maps (4, S, S) of a mirrored view, as the view itself has them.

    The long axis starts at its smaller x and the short one at its smaller y: mirroring along x
    swaps the long axis' ends, along y the short one's.
    """
    order = [1, 0] if flip_x else [0, 1]
    order += [3, 2] if flip_y else [2, 3]
    return flipped(maps[order], flip_x, flip_y)
