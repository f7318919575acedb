"""Measure the lesion at a click: mask and RECIST of a PNG, DICOM or NIfTI image."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from dashboards.overlays import overlay
from lesions import InputError, Lesion, Recist
from lesions.files import replace_with
from lesions.readers.clicked import ClickedSlice
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.readers.png import encode_slice
from platform.cli import parse, run
from platform.storage import writable

OVERLAY = "overlay.png"


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Measure the lesion at a click by both stages of a trained system.

    Attributes:
        system: pdnet.
        stage1: stage 1's checkpoint, a folder with run.json and best.pt.
        stage2: stage 2's.
        image: a 16-bit PNG with HU + 32768 as in DeepLesion, a DICOM file, a folder with one CT
            series, or a NIfTI file.
        click: X,Y in pixels, 0,0 = the middle of the first. Of PNG and DICOM: column and row of
            the stored pixels, as viewers show them. Of NIfTI: column and row of the axial slice
            with the patient's right at the left and the front at the top.
        out: a folder for the mask in the image's own geometry, overlay.png, answer.json, and for
            DICOM a SEG and a TID 1500 report.
        slice: which axial slice, 0 = the lowest (nearest to the feet).
        spacing: X Y, mm a pixel: of a PNG, which does not say it.
        window: low and high HU; for lungs -1500 500.
        tta: average over the four mirrored views; takes about four times as long.
        precision: auto is bf16 where the processor has it, else fp32.
    """

    system: Annotated[Literal["pdnet"], tyro.conf.Positional]
    stage1: Path
    stage2: Path
    image: Path
    click: str
    out: Path
    slice: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] = SOFT_TISSUE
    tta: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def check(self) -> None:
        """InputError for a window that is none."""
        if not self.window[0] < self.window[1]:
            raise InputError(f"--window is not low, high: {self.window}")

    @property
    def at(self) -> tuple[float, float]:
        """The click's (x, y)."""
        try:
            x, y = (float(word) for word in self.click.split(","))
        except ValueError:
            raise InputError(f"--click is {self.click!r}", remedy="say X,Y, as 250,190") from None
        return x, y


def draw(seen: ClickedSlice, window: tuple[float, float], result: object) -> bytes:
    """The overlay of what a click found, as wide as stage 2's view."""
    from trainables.pdnet.two_stages import ClickResult

    assert isinstance(result, ClickResult)
    (x, y), half = result.crop.centre, result.crop.side / 2
    square = Recist([(x - half, y), (x + half, y), (x, y - half), (x, y + half)])
    height, width = seen.hu.shape
    lesion = Lesion(
        file=seen.image.name, row=1, recist=result.recist or square, spacing=seen.spacing,
        window=window, shape=(height, width), encoded=encode_slice(seen.hu),
    )  # fmt: skip
    view = (
        float(np.floor(x - half) - 0.5),
        float(np.floor(y - half) - 0.5),
        float(np.ceil(2 * half)),
    )
    return overlay(lesion, None, result.mask, None, result.recist, crop=view)


def main() -> None:
    """Parse the command line, measure, write and print."""
    options = parse(PredictOptions, prog="python -m platform.predict")
    options.check()
    at, out = options.at, writable(options.out)
    import torch

    from trainables.pdnet.answers import ANSWER, Click, answer, fast_precision, identity
    from trainables.pdnet.two_stages import FALLBACK_MM, load_two_stages

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = {"auto": fast_precision(device), "fp32": None, "bf16": torch.bfloat16}
    start = time.perf_counter()
    both = load_two_stages(
        options.stage1, options.stage2, device,
        precision=precision[options.precision], tta=options.tta,
    )  # fmt: skip
    print(f"loaded in {time.perf_counter() - start:.1f} s", flush=True)
    click = Click(
        image=options.image, at=at, index=options.slice, spacing=options.spacing,
        window=options.window,
    )  # fmt: skip
    model = identity(options.stage1, options.stage2)
    found, seen, result = answer(both, model, click, out)
    with replace_with(out / OVERLAY) as partial:
        partial.write_bytes(draw(seen, options.window, result))
    if not found["stage1_found"]:
        print(f"stage 1 found no lesion at the click: measured as one of {FALLBACK_MM:g} mm")
    if (recist := found["recist"]) is None:
        print("no measurement: the endpoints coincide")
    else:
        print(f"{recist['long_axis']['mm']:.1f} × {recist['short_axis']['mm']:.1f} mm")
    if "mask" not in found["files"]:
        print("no mask: nothing is segmented")
    names = ", ".join([*found["files"].values(), OVERLAY, ANSWER])
    print(f"in {sum(found['seconds'].values()):.2f} s; {names} in {out}")
    print("For research only: not a medical device.")


if __name__ == "__main__":
    run(main)
