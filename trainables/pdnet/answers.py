"""An answer to a click as files: mask, measurement, and who measured how."""

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import Recist
from lesions.files import replace_with, write_text
from lesions.readers.clicked import ClickedSlice, Volumes, read_clicked, read_volumes
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.writers.dicom import Algorithm, report, segmentation, write
from lesions.writers.masks import write_nifti_mask, write_png_mask
from trainables.checkpoint import model_digest
from trainables.pdnet.two_stages import ClickResult, TwoStages

ANSWER, OVERLAY, REPORT = "answer.json", "overlay.png", "report.dcm"
MASKS = {"nifti": "mask.nii.gz", "png": "mask.png", "dicom": "mask.dcm"}
STAGES = ("stage1", "stage2")
PRECISIONS = {
    "auto": ("float32", "bfloat16"), "fp32": ("float32",), "bf16": ("bfloat16",),
}  # fmt: skip
Pair = tuple[float, float]
# Slice, window, mask, RECIST, and the centre and side of stage 2's view → a PNG.
Draw = Callable[[ClickedSlice, Pair, NDArray[np.uint8], Recist | None, Pair, float], bytes]


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
    both: TwoStages,
    model: dict[str, Any],
    click: Click,
    folder: Path,
    draw: Draw,
    volumes: Volumes = read_volumes,
) -> dict[str, Any]:
    """Measure at a click and write the mask, the DICOM objects, a picture, last `answer.json`.

    Args:
        both: the networks.
        model: `identity`'s.
        click: what is asked.
        folder: of the files; an earlier answer's are gone when this one is written.
        draw: makes the picture.
        volumes: see `read_clicked`.

    Returns:
        What `answer.json` says; its paths are relative to the folder.

    Raises:
        InputError: see `read_clicked`.
    """
    start = time.perf_counter()
    seen = read_clicked(click.image, click.at, click.index, click.spacing, volumes)
    read = time.perf_counter()
    result = both(seen.hu, click.window, seen.spacing, seen.click)
    seconds = {"read": read - start, **result.seconds}
    clear(folder)
    files = write_files(seen, result, model, folder)
    crop = result.crop
    with replace_with(folder / OVERLAY) as file:
        file.write(draw(seen, click.window, result.mask, result.recist, crop.centre, crop.side))
    content = {
        "image": os.path.relpath(click.image, folder),
        "kind": seen.kind,
        "slice": seen.index,
        "click": list(click.at),
        "window_hu": list(click.window),
        "spacing_mm": list(seen.spacing),
        "stage1_found": result.found,
        "mask": _mask(seen, result),
        "recist": _recist(seen, result),
        "files": files,
        "model": _seen_from(folder, model),
        "tta": both.tta,
        "precision": str(both.precision or torch.float32).removeprefix("torch."),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "note": "For research only: not a medical device.",
    }
    write_text(folder / ANSWER, json.dumps(content, indent=1))
    return content


def clear(folder: Path) -> None:
    """Delete an answer's files, `answer.json` first: without it there is no answer."""
    for name in (ANSWER, OVERLAY, *MASKS.values(), REPORT):
        remove(folder / name)


def remove(path: Path) -> None:
    """Delete what bears the name of one of our files, a folder too."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_files(
    seen: ClickedSlice, result: ClickResult, model: dict[str, Any], folder: Path
) -> dict[str, str]:
    """The mask in the image's geometry, and for DICOM the report; their names by what they are.

    An empty mask is no DICOM SEG, which must have a frame, and nothing to report on.
    """
    mask = seen.mask_in_image(result.mask)
    name = MASKS[seen.kind]
    if seen.kind == "nifti":
        write_nifti_mask(mask, seen.image, folder / name)
        return {"mask": name}
    if seen.kind == "png":
        write_png_mask(mask, folder / name)
        return {"mask": name}
    if seen.origin is None or not mask.any():
        return {}
    algorithm = Algorithm(name="pdnet", version=model["stage2"]["sha256"][:12])
    seg = segmentation(seen.origin, mask, algorithm)
    write(seg, folder / name)
    if result.recist is None:
        return {"mask": name}
    points = seen.points_in_image(result.recist.points)[:, :2]
    lengths = result.recist.diameters_mm(seen.spacing)
    write(report(seen.origin, seg, points, lengths, algorithm), folder / REPORT)
    return {"mask": name, "report": REPORT}


def identity(
    stage1: Path, stage2: Path, registered: Sequence[str | None] = (None, None)
) -> dict[str, Any]:
    """Which checkpoints answer: their folders, names and versions, and the weights' digests.

    Args:
        stage1, stage2: folders.
        registered: NAME:VERSION of each, where it comes from the registry.
    """
    found: dict[str, Any] = {"system": "pdnet"}
    for name, folder, version in zip(STAGES, (stage1, stage2), registered, strict=True):
        found[name] = {"checkpoint": str(folder), "sha256": model_digest(folder)}
        if version is not None:
            found[name]["registered"] = version
    return found


def _seen_from(folder: Path, model: dict[str, Any]) -> dict[str, Any]:
    """The model with its checkpoints' folders relative to this one: absolute ones tell of users."""
    stages = {
        stage: model[stage] | {"checkpoint": os.path.relpath(model[stage]["checkpoint"], folder)}
        for stage in STAGES
    }
    return model | stages


def precision_of(word: str, device: torch.device) -> torch.dtype | None:
    """The type of "auto", "fp32" or "bf16" on a device; None = float32."""
    if word == "auto":
        return fast_precision(device)
    return torch.bfloat16 if word == "bf16" else None


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
