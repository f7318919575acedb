"""Measure the lesion at a prompt, or at each of a table: PNG, DICOM, NIfTI and the like."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.prompts import PROMPTS, Click, Prompt
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.tracking import NOBODYS, Tracking
from platform.command_line.models import WhichModel, checkpoints, checkpoints_of_any
from platform.command_line.options import SAME_AGAIN, parse, run
from platform.running.storage import writable

if TYPE_CHECKING:
    from trainables.answering.answerer import Answerer, Answering
    from trainables.answering.question import Question
    from trainables.system import System


Repeated = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
WITHOUT = 3  # the exit status of answers that have no measurement


@dataclass(frozen=True, kw_only=True)
class PredictOptions(WhichModel):
    """Measure the lesion at a prompt by a trained system.

    The exit status is 0 where there is a measurement, of a table one at least; 3 where all was
    answered without one, as nothing was found; 2 for a mistake.

    Attributes:
        system: one of the published systems, or one from elsewhere, as package.module:Class; each
            is told a click, a box or marks.
        image: a 16-bit PNG with HU + 32768 as in DeepLesion, a DICOM file (.dcm.gz, too), a folder
            or .zip with one CT series, or a NIfTI, MetaImage (.mha, .mhd) or NRRD (.nrrd, .nhdr)
            file.
        click: X,Y in pixels, 0,0 = the middle of the first. Of PNG and DICOM: column and row of
            the stored pixels, as viewers show them. Of NIfTI, MetaImage and NRRD: column and row
            of the axial slice with the patient's right at the left and the front at the top. Said
            several times it means as many lesions of the image.
        clicks: several at once, X,Y X,Y ….
        box: X0,Y0,X1,Y1, two opposite corners, likewise.
        marks: X1,Y1,…,X4,Y4, the ends of the long axis and then of the short one, likewise.
        tracking_id: what you call the lesion, as T1; once a prompt, in their order. In DICOM
            objects the same word for the same PatientID is the same tracking UID at all times.
        tracking_uid: the lesion's own UID instead of that one; likewise.
        table: instead of image and prompt, a CSV file with the columns image and x, y of a click,
            or x0, y0, x1, y1 of a box, or x1, y1 to x4, y4 of marks, and where wanted slice,
            spacing_x, spacing_y, window_low, window_high, id, tracking_id, tracking_uid. Images
            are looked for beside it; an empty cell is the option below.
        teller: another model, named as --model is: what it segments makes the box or the marks that
            the system is told, and the prompt given is for it.
        out: a folder for the mask in the image's own geometry (NIfTI for MetaImage and NRRD),
            overlay.png, answer.json, and for DICOM a SEG and a TID 1500 report. Of several prompts:
            one such folder a prompt, called by its number, and for DICOM a SEG and a report of all.
            Of a table: one such folder a row, called by its id or number, answers.csv and
            rejected.csv, and in images/ a SEG and a report of each DICOM image with several rows.
        slice: which axial slice, 0 = the lowest (nearest to the feet).
        spacing: X Y, mm a pixel: of a PNG, which does not say it.
        window: low and high HU; for lungs -1500 500.
        values_are_hu: measure an image though its values' range says that they are no HU.
        tta: average over mirrored views, where the system does so; takes longer.
        precision: auto is bf16 where the processor has it, else fp32.
        perpendicular: turn the shorter axis about its middle to be perpendicular to the longer one,
            as RECIST has it; without it axes that are more than 10 degrees off are only said to be.
    """

    system: Annotated[str, tyro.conf.Positional]
    image: Path | None = None
    click: Repeated = ()
    clicks: tuple[str, ...] = ()
    box: Repeated = ()
    marks: Repeated = ()
    tracking_id: Repeated = ()
    tracking_uid: Repeated = ()
    table: Path | None = None
    teller: Annotated[tuple[str, ...], tyro.conf.arg(name="with")] = ()
    out: Path
    slice: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] = SOFT_TISSUE
    values_are_hu: bool = False
    tta: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    perpendicular: bool = False

    def prompts(self) -> list[Prompt]:
        """Those that are given, in order; InputError for a bad one, or several kinds."""
        words = {kind: getattr(self, name) for name, kind in PROMPTS.items()}
        words[Click] += self.clicks
        given = [kind for kind, said in words.items() if said]
        if len(given) > 1:
            raise InputError(f"{' and '.join(f'--{kind.name}' for kind in given)}: say one")
        return [kind.parse(word) for kind in given for word in words[kind]]

    def tracking(self) -> list[Tracking]:
        """What each prompt's lesion is called, in their order.

        Raises:
            InputError: a bad word, one said twice, or as many as there are not prompts.
        """
        count = len(self.prompts())
        given = {"--tracking-id": self.tracking_id, "--tracking-uid": self.tracking_uid}
        for option, words in given.items():
            said = [word.strip() for word in words if word.strip()]
            if words and len(words) != count:
                raise InputError(f"{option} is said {len(words)} times, for {count} prompts",
                                 remedy="say it once a prompt, in their order")  # fmt: skip
            if len({*said}) < len(said):
                raise InputError(f"{option} says the same of two lesions of one image")
        if not any(given.values()):
            return [NOBODYS] * count
        identifiers, uids = (words or ("",) * count for words in given.values())
        return [
            Tracking(identifier=identifier.strip(), uid=uid.strip())
            for identifier, uid in zip(identifiers, uids, strict=True)
        ]

    def check(self) -> None:
        """InputError for a bad window or prompt, and for not one of image and table."""
        if not self.window[0] < self.window[1]:
            raise InputError(f"--window is not low, high: {self.window}")
        given = [self.image is not None, bool(self.prompts())]
        if self.table is not None and (self.tracking_id or self.tracking_uid):
            raise InputError("--table says what lesions are called, in its columns tracking_id and "
                             "tracking_uid: leave the options out")  # fmt: skip
        if self.table is not None and any(given):
            raise InputError("--table says images and prompts: leave --image and the prompt out")
        if self.table is None and not all(given):
            prompts = " or ".join(f"--{name}" for name in PROMPTS)
            raise InputError(
                "what is to be measured?", remedy=f"say --image and {prompts}; or --table"
            )
        self.tracking()


def check_prompt(system: "System", given: Prompt | None, with_another: bool) -> None:
    """InputError for a prompt that the system is not told, with what to say instead.

    Args:
        system: that answers.
        given: None of a table.
        with_another: another model is to make its prompt.
    """
    from trainables.answering.told import MADE

    kind = system.prompt
    if with_another and kind not in MADE:
        raise InputError(f"{system.name} is told {kind.words}, which no mask makes",
                         remedy="leave --with out")  # fmt: skip
    if with_another or given is None or isinstance(given, kind):
        return
    other = f", or {given.words} and --with MODEL" if kind in MADE else ""
    raise InputError(
        f"{system.name} is told {kind.words}", remedy=f"say --{kind.name} {kind.form}{other}"
    )


def check_teller(system: "System", teller: "System", given: Prompt | None) -> None:
    """InputError where another system cannot make this one's prompt from what is given."""
    kind = teller.prompt
    if kind is system.prompt:
        raise InputError(f"{teller.name} is told {kind.words} itself, as {system.name} is",
                         remedy="leave --with out, or name another model")  # fmt: skip
    if given is not None and not isinstance(given, kind):
        raise InputError(
            f"{teller.name}, which is to make {system.prompt.words}, is told {kind.words}",
            remedy=f"say --{kind.name} {kind.form}",
        )


def who_answers(options: PredictOptions) -> "tuple[Answering, type[Prompt]]":
    """Who answers, and the kind of prompt that is asked with; registered models are fetched.

    Raises:
        InputError: see `checkpoints`, `check_prompt` and `check_teller`.
    """
    from trainables.answering.answerer import Answering
    from trainables.answering.identity import identify
    from trainables.registry import named_system

    system, given = named_system(options.system), next(iter(options.prompts()), None)
    check_prompt(system, given, bool(options.teller))
    model = identify(system.name, checkpoints(system, options.model, options.storage))
    kind, teller = system.prompt, None
    if options.teller:
        other, parts = checkpoints_of_any(options.teller, options.storage)
        check_teller(system, other, given)
        kind, teller = other.prompt, identify(other.name, parts)
    return Answering(
        system=options.system, model=model, teller=teller, tta=options.tta,
        precision=options.precision, perpendicular=options.perpendicular,
    ), kind  # fmt: skip


def load(answering: "Answering", on_cpu: bool) -> "Answerer":
    """The models; InputError for a checkpoint that is none.

    For a table they are only tried, on the CPU: its actors load them where they are.
    """
    import torch

    here = torch.cuda.is_available() and not on_cpu
    start = time.perf_counter()
    answerer = answering.load(torch.device("cuda" if here else "cpu"))
    say(f"loaded in {time.perf_counter() - start:.1f} s. {answerer.protocol}")
    return answerer


def questions(options: PredictOptions) -> "list[Question]":
    """What is asked of the image, in order."""
    from trainables.answering.question import Question

    assert options.image is not None
    return [
        Question(
            image=options.image, prompt=prompt, index=options.slice, spacing=options.spacing,
            window=options.window, values_are_hu=options.values_are_hu, tracking=tracking,
            number=number,
        )
        for number, (prompt, tracking) in enumerate(
            zip(options.prompts(), options.tracking(), strict=True), 1
        )
    ]  # fmt: skip


def main() -> None:
    """Parse the command line, measure, write and print."""
    options = parse(PredictOptions, prog="python -m platform.predict")
    options.check()
    answering, kind = who_answers(options)
    out = writable(options.out)
    answerer = load(answering, on_cpu=options.table is not None)
    if options.table is None:
        from platform.running.asking import ask, ask_all

        asked = questions(options)
        if len(asked) == 1:
            measured = ask(answerer, asked[0], out)["recist"] is not None
        else:
            measured = ask_all(answerer, asked, out)
    else:
        from platform.running.prompt_tables import Table, answer_table

        table = Table(
            path=options.table, kind=kind, out=out, index=options.slice, spacing=options.spacing,
            window=options.window, values_are_hu=options.values_are_hu,
        )  # fmt: skip
        measured = answer_table(table, answering) > 0
    say("For research only: not a medical device.")
    if not measured:
        sys.exit(WITHOUT)


if __name__ == "__main__":
    run(main, again=SAME_AGAIN)
