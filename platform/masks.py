"""Judge the pseudo masks by human masks: Table 1 of the WSSS paper on any data that has some."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from dashboards.pages.masks import write_mask_report, write_rows
from dashboards.recorded.artifacts import files_of
from dashboards.tables.masks import MaskTable, in_paper_order, print_masks
from dashboards.tables.papers import masks_table
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.judging.batches import Batch, deeplesion_batches
from lesions.judging.measuring import Key, Measured
from lesions.judging.pairs import are_phantom, pairs_by_name
from lesions.judging.tissues import tissues_of
from lesions.lesion import SPLITS
from lesions.masks import PSEUDO_MASKS
from lesions.prepared.preparing import table_digest
from lesions.prepared.remarking import MarksFrom, MarksNoise
from lesions.readers.deeplesion import EXACT_MASKS, Rejected, Remark, is_phantom
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.sample import ROOT as SAMPLE
from platform.command_line.options import OF_MASKS, FromMasks, parse, run
from platform.running.cluster import cluster
from platform.running.datasets import PHANTOM
from platform.running.interrupted import stopping_in_order
from platform.running.judging import measure_all, pictures_of
from platform.running.new_results import NewResult, new_result
from platform.running.storage import default_storage, writable
from platform.tracking.provenance import provenance
from platform.tracking.runs import NAME, PARENT, end_run, interruptible, log_metrics, log_params
from platform.tracking.runs import new_run as _new_run
from platform.tracking.store import Store, open_store, reaching

EXPERIMENT = "masks"
FROM_MASKS = (
    "The RECIST marks here were measured from the human masks themselves: they fit better than "
    "marks that a radiologist sets."
)
HUMAN_MASKS = "human masks"


@dataclass(frozen=True, kw_only=True)
class MasksOptions(FromMasks):
    """Measure the pseudo masks against human masks, beside Table 1 of the WSSS paper.

    The lesions are the shipped sample's; or --source; or --images with --human-masks.

    Attributes:
        source: a folder in DeepLesion's layout with Masks_png/PPPPPP_SS_RR/KKK_N.png, N being
            the lesion's number among those of its slice.
        images: CTs, in quotes with one *, as 'ct/*_ct.nii.gz': of every kind that prepare takes.
        human_masks: their masks, NIfTI or DICOM SEG, likewise; what * stands for must be the
            same. Every connected part of a mask is a lesion.
        label: the value in --human-masks that is lesion; without it all but 0 and 255, which is
            uncertain and counts nowhere.
        window: low and high HU for --images, which say none themselves; for lungs -1500 500.
        values_are_hu: take images though the range of their values says that they are no HU.
        methods: the pseudo masks, comma-separated; without it all.
        splits: of --source, comma-separated; without it all.
        key_slices: of each patient's series in --source take the slice with the largest human
            mask alone: in the sample, where a tumour has many slices, each tumour then counts once.
        keep_noisy: take rows that the data set flags as possibly noisy.
        marks_from_masks: measure the marks of --source from its human masks.
        marks_noise: LENGTH,PLACE[,DRAWN_IN], as 0.1,0.05: change each mark of --source as another
            person's would differ, lengths by up to the first fraction and places by up to the
            second of the long axis, and draw the axes in by the third.
        against: one of the methods: tell how each other one differs from it, by tissue or type,
            with intervals over patients.
        name: of the result; without it one is made from the time.
        pictures: of lesions in MLflow; `--no-pictures` keeps the page that has them out of it.
        storage: where everything is kept.
    """

    source: Path | None = None
    images: str | None = None
    human_masks: str | None = None
    label: int | None = None
    window: tuple[float, float] = SOFT_TISSUE
    values_are_hu: bool = False
    methods: str | None = None
    splits: str | None = None
    key_slices: bool = False
    keep_noisy: bool = False
    marks_from_masks: bool = False
    marks_noise: str | None = None
    against: str | None = None
    name: str | None = None
    pictures: bool = True
    storage: Path | None = None

    def check(self) -> None:
        """InputError for options that do not go together."""
        if (self.images is None) != (self.human_masks is None):
            raise InputError("--images and --human-masks go together: one of them is absent")
        if self.images is None and self.takes_otherwise():
            raise InputError(f"{OF_MASKS} are for --images")
        if self.images is not None and (self.source or self.splits or self.key_slices):
            raise InputError("--source, --splits and --key-slices are not for --images")
        if self.images is not None and (self.marks_from_masks or self.marks_noise):
            raise InputError("--marks-from-masks and --marks-noise are not for --images")
        if self.window[0] >= self.window[1]:
            raise InputError(f"--window is not low, high: {self.window}")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured.

    Attributes:
        batches: its lesions, as the workers read them.
        name: for people.
        marks: where its RECIST marks come from, in a sentence; empty where that is not known.
        tissues: what its lesions are made of, where that is known.
        truth: what the masks are judged by.
    """

    batches: Sequence[Batch]
    name: str
    marks: str
    tissues: Mapping[Key, str] = field(default_factory=dict)
    truth: str = HUMAN_MASKS


def subject_of(options: MasksOptions) -> Subject:
    """What the options name.

    Raises:
        InputError: there is no such table or split, or files that do not pair.
    """
    if options.images is not None and options.human_masks is not None:
        pairs = pairs_by_name(
            options.images, options.human_masks, options.window, options.label,
            options.values_are_hu, options.taking(),
        )  # fmt: skip
        folder = Path(options.images.partition("*")[0] + "*").expanduser().absolute().parent
        made = are_phantom(pairs)
        return Subject(
            batches=pairs, name=folder.name + (PHANTOM if made else ""), marks=FROM_MASKS,
            truth=EXACT_MASKS if made else HUMAN_MASKS,
        )  # fmt: skip
    if options.source is None:
        say("no --source: taking the shipped sample (CC BY 3.0, see lesions/sample)")
    source = (options.source or SAMPLE).expanduser().absolute()
    splits = _listed(options.splits, SPLITS, "split")
    noise = MarksNoise.read(options.marks_noise) if options.marks_noise else None
    rows = deeplesion_batches(
        source, splits, keep_noisy=options.keep_noisy, largest=options.key_slices,
        values_are_hu=options.values_are_hu,
        marks=MarksFrom(masks=options.marks_from_masks, noise=noise),
    )  # fmt: skip
    shipped, made = table_digest(source) == table_digest(SAMPLE), is_phantom(source)
    name = "the shipped sample" if shipped else source.name + (PHANTOM if made else "")
    return Subject(
        batches=rows, name=name + (f" (marks noise {noise})" if noise else ""),
        marks=FROM_MASKS if (shipped or options.marks_from_masks) and not noise else "",
        tissues=tissues_of(source) if made else {}, truth=EXACT_MASKS if made else HUMAN_MASKS,
    )  # fmt: skip


def _listed(text: str | None, known: Collection[str], what: str) -> list[str]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise InputError(
            f"there is no {what} {unknown[0]!r}", remedy=f"choose of {', '.join(known)}"
        )
    return names or list(known)


def judge(
    subject: Subject, methods: Sequence[str], name: str, against: str | None = None
) -> tuple[MaskTable, dict[Key, dict[str, bytes]]]:
    """Measure the subject by these methods; the table, and pictures of a few lesions.

    Raises:
        InputError: no lesion has a human mask.
    """
    lesions: list[Measured] = []
    aside: list[Rejected] = []
    origin: dict[Key, Batch] = {}
    with cluster() as resources:
        outcomes = zip(
            subject.batches, measure_all(subject.batches, methods, resources), strict=True
        )
        for batch, outcome in track(outcomes, "measuring", len(subject.batches)):
            for found in outcome:
                if isinstance(found, Remark):
                    say(f"warning: {found.file}: {found.words}")
                elif isinstance(found, Rejected):
                    aside.append(found)
                else:
                    lesions.append(found)
                    origin[found.key] = batch
        if not lesions:
            raise _nothing(subject, aside)
        table = MaskTable(
            name=name,
            data=_described(subject.name, lesions),
            marks=subject.marks,
            methods=methods,
            lesions=lesions,
            aside=aside,
            tissues=subject.tissues,
            against=against,
            tags={"data_fingerprint": _fingerprint(lesions), "truth": subject.truth}
            | {tag.removeprefix("lesion."): text for tag, text in provenance().items()},
        )
        return table, pictures_of({one.key: origin[one.key] for one in table.shown()}, methods)


def _described(name: str, lesions: Sequence[Measured]) -> str:
    kinds = Counter(lesion.lesion_type for lesion in lesions).most_common()
    listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds)
    types = "" if listed == f"{len(lesions)} unknown" else f" ({listed})"
    patients = len({lesion.patient for lesion in lesions})
    return f"{name}, {len(lesions)} slices of {patients} patients{types}"


def _fingerprint(lesions: Sequence[Measured]) -> str:
    return hashlib.sha256("\n".join(one.digest for one in lesions).encode()).hexdigest()


def _nothing(subject: Subject, aside: Sequence[Rejected]) -> InputError:
    reasons = Counter(one.reason.partition(":")[0] for one in aside).most_common()
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons) or "there are no rows"
    return InputError(
        f"no lesion to measure in {subject.name}: {listed}",
        remedy="--source wants human masks as 8-bit PNG of 0 and 1 in "
        "Masks_png/PPPPPP_SS_RR/KKK_N.png; --human-masks names 3D masks",
    )


def record(store: Store, table: MaskTable, options: MasksOptions, files: Sequence[Path]) -> None:
    """One parent run with the options and files, and a child run a method with its metrics."""
    tags = {f"lesion.{name}": text for name, text in table.tags.items()}
    tags |= {"lesion.kind": "masks", "lesion.masks": table.name, "lesion.data": table.data}
    parent = _new_run(store, {NAME: table.name, **tags})
    with interruptible(store, parent):
        log_params(store, parent, params_of(options))
        log_metrics(store, parent, {"n": len(table.lesions), "set_aside": len(table.aside)})
        for path in files:
            files_of(store.client, parent).write(path)
        for method in table.methods:
            tags = {PARENT: parent, NAME: method, "lesion.kind": "mask", "lesion.method": method}
            run_id = _new_run(store, tags)
            log_metrics(store, run_id, table.metrics(method))
            end_run(store, run_id, "finished")
        end_run(store, parent, "finished")


def params_of(options: MasksOptions) -> dict[str, Any]:
    """The options given, as MLflow params; folders by their names, none above them."""
    given = {name: value for name, value in asdict(options).items() if value is not None}
    given.pop("storage", None)
    if options.source is not None:
        given["source"] = options.source.absolute().name
    for name in ("images", "human_masks"):
        if name in given:
            before, star, after = given[name].partition("*")
            given[name] = before.rpartition("/")[2] + star + after
    return given


def judge_and_record(options: MasksOptions, storage: Path, result: NewResult) -> None:
    """Measure, print, write the report and the table, and record."""
    methods = in_paper_order(_listed(options.methods, PSEUDO_MASKS, "pseudo mask"))
    if options.against is not None:
        _listed(options.against, methods, "measured pseudo mask")
    subject = subject_of(options)
    store = open_store(storage, EXPERIMENT, masks_table()[0])
    table, pictures = judge(subject, methods, result.name, options.against)
    with stopping_in_order():  # a matter of seconds: what is measured is written and recorded whole
        write_rows(table, result.rows)
        write_mask_report(table, pictures, result.report)
        print_masks(table, Console())
        say(f"report: {result.report}\nevery lesion: {result.rows}")
        with reaching(store, "the report is written; measure again to record it"):
            record(store, table, options, result.files(options.pictures))
    say(f"all runs: {store.browsed_by}")


def main() -> None:
    """Parse the command line, measure, print, write the report and record."""
    options = parse(MasksOptions, prog="python -m platform.masks")
    options.check()
    storage = writable(options.storage or default_storage())
    with new_result(storage / "masks", options.name, "masks") as result:
        judge_and_record(options, storage, result)


if __name__ == "__main__":
    run(main)
