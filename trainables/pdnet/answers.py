"""An answer to a click as files: mask, measurement, and who measured how."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lesions.files import write_text
from lesions.readers.clicked import ClickedSlice, read_clicked
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.writers.dicom import Algorithm, report, segmentation, write
from lesions.writers.masks import write_nifti_mask, write_png_mask
from trainables.checkpoint import BEST
from trainables.pdnet.two_stages import ClickResult, TwoStages

ANSWER = "answer.json"


@dataclass(frozen=True, kw_only=True)
class Click:
    """What is asked.

    Attributes:
        image: a 16-bit PNG, a DICOM file or folder, or a NIfTI file.
        at: (x, y); see `read_clicked`.
        index: the slice, None where there is one alone.
        spacing: (x, y) mm of a PNG.
        window: (low, high) HU.
    """

    image: Path
    at: tuple[float, float]
    index: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] = SOFT_TISSUE


def answer(
    both: TwoStages, model: dict[str, Any], click: Click, folder: Path
) -> tuple[dict[str, Any], ClickedSlice, ClickResult]:
    """Measure at a click and write the mask, the DICOM objects and last `answer.json`.

    Returns:
        What `answer.json` says, the slice, and the result in that slice's pixels.

    Raises:
        InputError: see `read_clicked`.
    """
    start = time.perf_counter()
    seen = read_clicked(click.image, click.at, click.index, click.spacing)
    read = time.perf_counter()
    result = both(seen.hu, click.window, seen.spacing, seen.click)
    seconds = {"read": read - start, **result.seconds}
    files = write_files(seen, result, model, folder)
    content = {
        "image": str(click.image),
        "kind": seen.kind,
        "slice": seen.index,
        "click": list(click.at),
        "window_hu": list(click.window),
        "spacing_mm": list(seen.spacing),
        "stage1_found": result.found,
        "mask": _mask(seen, result),
        "recist": _recist(seen, result),
        "files": files,
        "model": model,
        "tta": both.tta,
        "precision": str(both.precision or torch.float32).removeprefix("torch."),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "note": "For research only: not a medical device.",
    }
    write_text(folder / ANSWER, json.dumps(content, indent=1))
    return content, seen, result


def write_files(
    seen: ClickedSlice, result: ClickResult, model: dict[str, Any], folder: Path
) -> dict[str, str]:
    """The mask in the image's geometry, and for DICOM the report; their names by what they are.

    An empty mask is no DICOM SEG, which must have a frame, and nothing to report on.
    """
    mask = seen.mask_in_image(result.mask)
    if seen.kind == "nifti":
        write_nifti_mask(mask, seen.image, folder / "mask.nii.gz")
        return {"mask": "mask.nii.gz"}
    if seen.kind == "png":
        write_png_mask(mask, folder / "mask.png")
        return {"mask": "mask.png"}
    if seen.origin is None or not mask.any():
        return {}
    algorithm = Algorithm(name="pdnet", version=model["stage2"]["sha256"][:12])
    seg = segmentation(seen.origin, mask, algorithm)
    write(seg, folder / "mask.dcm")
    if result.recist is None:
        return {"mask": "mask.dcm"}
    points = seen.points_in_image(result.recist.points)[:, :2]
    lengths = result.recist.diameters_mm(seen.spacing)
    write(report(seen.origin, seg, points, lengths, algorithm), folder / "report.dcm")
    return {"mask": "mask.dcm", "report": "report.dcm"}


def identity(stage1: Path, stage2: Path) -> dict[str, Any]:
    """Which checkpoints answer: their folders, and the digest of their weights."""
    found: dict[str, Any] = {"system": "pdnet"}
    for name, folder in (("stage1", stage1), ("stage2", stage2)):
        digest = hashlib.sha256((folder / BEST).read_bytes()).hexdigest()
        found[name] = {"checkpoint": str(folder), "sha256": digest}
    return found


def fast_precision(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the device computes in it natively, float32 (None) elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    capabilities = torch.cpu.get_capabilities()
    return (
        torch.bfloat16 if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else None
    )


def _mask(seen: ClickedSlice, result: ClickResult) -> dict[str, Any]:
    pixels = int(result.mask.sum())
    return {"pixels": pixels, "area_mm2": round(pixels * seen.spacing[0] * seen.spacing[1], 3)}


def _recist(seen: ClickedSlice, result: ClickResult) -> dict[str, Any] | None:
    """Both axes; the ends in the image's own pixels, as the click is given."""
    if result.recist is None:
        return None
    points = result.recist.points if seen.kind == "nifti" else _in_frame(seen, result)
    lengths = result.recist.diameters_mm(seen.spacing)
    return {
        name: {
            "mm": round(lengths[axis], 3),
            "pixels": round(float(np.hypot(*(points[2 * axis + 1] - points[2 * axis]))), 3),
            "ends": [
                {
                    "x": round(float(points[end, 0]), 3),
                    "y": round(float(points[end, 1]), 3),
                    "spread_mm": _rounded(result.spread_mm[end]),
                    "peak": round(result.peaks[end], 4),
                }
                for end in (2 * axis, 2 * axis + 1)
            ],
        }
        for axis, name in enumerate(("long_axis", "short_axis"))
    }


def _in_frame(seen: ClickedSlice, result: ClickResult) -> Any:
    assert result.recist is not None
    return seen.points_in_image(result.recist.points)[:, :2]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
