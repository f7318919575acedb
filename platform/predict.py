"""Measure the lesion at a click, or at each of a table: PNG, DICOM or NIfTI images."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dashboards.plots.overlays import click_overlay
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.readers.from_mask import SOFT_TISSUE
from platform.command_line.models import BothStages, Checkpoint, checkpoints
from platform.command_line.options import parse, run
from platform.running.storage import writable


@dataclass(frozen=True, kw_only=True)
class PredictOptions(BothStages):
    """Measure the lesion at a click by both stages of a trained system.

    Attributes:
        system: pdnet.
        image: a 16-bit PNG with HU + 32768 as in DeepLesion, a DICOM file, a folder with one CT
            series, or a NIfTI file.
        click: X,Y in pixels, 0,0 = the middle of the first. Of PNG and DICOM: column and row of
            the stored pixels, as viewers show them. Of NIfTI: column and row of the axial slice
            with the patient's right at the left and the front at the top.
        clicks: instead of both, a CSV file with the columns image, x, y, and where wanted slice,
            spacing_x, spacing_y, window_low, window_high, id. Images are looked for beside it; an
            empty cell is the option below.
        out: a folder for the mask in the image's own geometry, overlay.png, answer.json, and for
            DICOM a SEG and a TID 1500 report. Of a table: one such folder a row, called by its id
            or number, answers.csv and rejected.csv.
        slice: which axial slice, 0 = the lowest (nearest to the feet).
        spacing: X Y, mm a pixel: of a PNG, which does not say it.
        window: low and high HU; for lungs -1500 500.
        tta: average over the four mirrored views; takes about four times as long.
        precision: auto is bf16 where the processor has it, else fp32.
    """

    system: Annotated[Literal["pdnet"], tyro.conf.Positional]
    image: Path | None = None
    click: str | None = None
    clicks: Path | None = None
    out: Path
    slice: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] = SOFT_TISSUE
    tta: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def check(self) -> None:
        """InputError for a window or a click that is none, and for not one of click and table."""
        if not self.window[0] < self.window[1]:
            raise InputError(f"--window is not low, high: {self.window}")
        given = [self.image is not None, self.click is not None]
        if self.clicks is not None and any(given):
            raise InputError("--clicks says images and clicks: leave --image and --click out")
        if self.clicks is None and not all(given):
            raise InputError(
                "what is to be measured?", remedy="say --image and --click, or --clicks"
            )
        if self.click is not None:
            point(self.click)


def point(word: str) -> tuple[float, float]:
    """(x, y) of "250,190", or InputError."""
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        raise InputError(f"--click is {word!r}", remedy="say X,Y, as 250,190") from None
    return x, y


def load(
    options: PredictOptions, stages: tuple[Checkpoint, Checkpoint]
) -> tuple[Any, dict[str, Any]]:
    """Both stages, and their identity; InputError for a checkpoint that is none.

    For a table they are only tried, on the CPU: its actors load them where they are.
    """
    import torch

    from trainables.pdnet.answers import identity, precision_of
    from trainables.pdnet.two_stages import load_two_stages

    here = torch.cuda.is_available() and options.clicks is None
    device = torch.device("cuda" if here else "cpu")
    start = time.perf_counter()
    folders = [stage.folder for stage in stages]
    both = load_two_stages(
        folders[0], folders[1], device,
        precision=precision_of(options.precision, device), tta=options.tta,
    )  # fmt: skip
    say(f"loaded in {time.perf_counter() - start:.1f} s")
    return both, identity(folders[0], folders[1], [stage.registered for stage in stages])


def answer_one(options: PredictOptions, both: Any, model: dict[str, Any], out: Path) -> None:
    """Measure at the click, write and print."""
    from trainables.pdnet.answers import ANSWER, OVERLAY, Click, answer
    from trainables.pdnet.two_stages import FALLBACK_MM

    assert options.image is not None
    assert options.click is not None
    click = Click(
        image=options.image, at=point(options.click), index=options.slice, spacing=options.spacing,
        window=options.window,
    )  # fmt: skip
    found = answer(both, model, click, out, click_overlay)
    if not found["stage1_found"]:
        say(f"stage 1 found no lesion at the click: measured as one of {FALLBACK_MM:g} mm")
    if (recist := found["recist"]) is None:
        say("no measurement: the endpoints coincide")
    else:
        say(f"{recist['long_axis']['mm']:.1f} × {recist['short_axis']['mm']:.1f} mm")
    if "mask" not in found["files"]:
        say("no mask: nothing is segmented")
    names = ", ".join([*found["files"].values(), OVERLAY, ANSWER])
    say(f"in {sum(found['seconds'].values()):.2f} s; {names} in {out}")


def main() -> None:
    """Parse the command line, measure, write and print."""
    options = parse(PredictOptions, prog="python -m platform.predict")
    options.check()
    stages = checkpoints(options)
    out = writable(options.out)
    both, model = load(options, stages)
    if options.clicks is None:
        answer_one(options, both, model, out)
    else:
        from platform.running.prompt_tables import answer_table

        answer_table(options, stages, model, out)
    say("For research only: not a medical device.")


if __name__ == "__main__":
    run(main)
