"""Read, check and mask a data set: slices or volumes with masks in, a prepared set out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.judging.pairs import pairs_by_name
from lesions.masks import PSEUDO_MASKS
from lesions.prepared.from_masks import FROM_MASKS
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.pairs import source_of, with_categories, with_category
from lesions.prepared.prepared_set import MANIFEST, REJECTED, PreparedSet, read_manifest
from lesions.prepared.preparing import Plan, Source, Table, prepare_parts
from lesions.prepared.readings import readings_digest
from lesions.prepared.remarking import MarksFrom, MarksNoise, write_originals
from lesions.readers.from_mask import SOFT_TISSUE
from platform.command_line.options import OF_MASKS, SAME_AGAIN, FromMasks, parse, run
from platform.running.parts import make_parts
from platform.running.storage import writable


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(FromMasks):
    """Prepare a data set in DeepLesion's layout (--source), or CT volumes with 3D human masks.

    Of volumes every connected part of a mask is a lesion; its RECIST is measured from the mask on
    its key slice.

    Attributes:
        out: where the prepared set goes; run again after a kill, it goes on where it was.
        source: the folder that holds DL_info.csv and Images_png/.
        images: CT volumes, in quotes with one *, as 'ct/*_ct.nii.gz': NIfTI, MetaImage (.mha,
            .mhd) or NRRD (.nrrd, .nhdr) files, or DICOM series, each in a folder or .zip of its
            own.
        human_masks: their masks, of these formats or DICOM SEG; what * stands for must be the same,
            and is the patient.
        label: the value, or the segment, in --human-masks that is lesion; without it all but 0 and
            255, which is uncertain and counts nowhere.
        window: low and high HU for --images, which say none themselves; for lungs -1500 500.
        values_are_hu: take images though the range of their values says that they are no HU.
        category: of all lesions of --images, as liver or lymph_node.
        categories: of each image's lesions: a CSV table with the columns name (what * stands for)
            and category.
        split: of all lesions of --images.
        masks: the pseudo masks to make, comma-separated; a set that is there is given those that
            it lacks, and keeps the others.
        keep_noisy: take rows that the data set flags as possibly noisy.
        marks_from_masks: measure the marks of --source from its human masks, where it has them.
        marks_noise: LENGTH,PLACE[,DRAWN_IN], as 0.1,0.05: change each mark of --source as if
            another person had set it, its axes' lengths by up to the first fraction, its place by
            up to the second, of the long axis, the axes drawn in by the third.
            The table's own marks lie in marks.csv beside a set with others.
    """

    out: Path
    source: Path | None = None
    images: str | None = None
    human_masks: str | None = None
    label: int | None = None
    window: tuple[float, float] = SOFT_TISSUE
    values_are_hu: bool = False
    category: str | None = None
    categories: Path | None = None
    split: Literal["train", "validation", "test"] = "test"
    masks: str = "snakes"
    keep_noisy: bool = False
    marks_from_masks: bool = False
    marks_noise: str | None = None

    def plan(self) -> Plan:
        """The plan, with absolute paths and known mask names."""
        masks = tuple(name.strip() for name in self.masks.split(",") if name.strip())
        if unknown := [name for name in masks if name not in PSEUDO_MASKS]:
            raise InputError(
                f"there is no pseudo mask {unknown[0]!r}",
                remedy=f"choose of {', '.join(PSEUDO_MASKS)}",
            )
        source = self.lesions()
        return Plan(source=source, out=writable(self.out), masks=masks, keep_noisy=self.keep_noisy)

    def lesions(self) -> Path | Source:
        """Where they come from; InputError for options that do not go together, or do not pair."""
        self.check()
        if self.images is None or self.human_masks is None:
            assert self.source is not None
            place = self.source.expanduser().absolute()
            noise = None if self.marks_noise is None else MarksNoise.read(self.marks_noise)
            marks = MarksFrom(masks=self.marks_from_masks, noise=noise)
            return Table(
                place=place, keep_noisy=self.keep_noisy, values_are_hu=self.values_are_hu,
                marks=marks,
            )  # fmt: skip
        pairs = pairs_by_name(
            self.images, self.human_masks, self.window, self.label, self.values_are_hu,
            self.taking(),
        )  # fmt: skip
        pairs = [replace(pair, split=self.split) for pair in pairs]
        if self.category:
            pairs = with_category(pairs, self.category)
        if self.categories:
            pairs = with_categories(pairs, self.categories.expanduser())
        folder = Path(self.images.partition("*")[0] + "*").expanduser().absolute().parent
        return source_of(folder, pairs)

    def check(self) -> None:
        """InputError for options that do not go together."""
        if (self.images is None) != (self.human_masks is None):
            raise InputError("--images and --human-masks go together: one of them is absent")
        if (self.images is None) == (self.source is None):
            raise InputError("say --source, or --images with --human-masks: one of the two")
        of_images = (self.category, self.categories, self.label)
        if self.images is None and any(one is not None for one in of_images):
            raise InputError("--category, --categories and --label are for --images")
        if self.images is None and self.takes_otherwise():
            raise InputError(f"{OF_MASKS} are for --images")
        if self.images is not None and self.keep_noisy:
            raise InputError("--keep-noisy is for --source")
        if self.images is not None and (self.marks_from_masks or self.marks_noise is not None):
            raise InputError("--marks-from-masks and --marks-noise are for --source")
        if self.category and self.categories:
            raise InputError("--category is for all lesions, --categories for each: one of the two")
        if not self.window[0] < self.window[1]:
            raise InputError(f"--window is not low, high: {self.window}")


def prepare(plan: Plan) -> dict[str, Any]:
    """Make the prepared set of a plan, or give a set the masks that it lacks; its manifest.

    Every part is written by the worker that made it, so neither the driver nor the object store
    ever holds pixels, and a part that an earlier run finished is not made again. While a set is
    given masks its manifest stays, and stays true: a kill leaves the set as it was.

    Raises:
        InputError: the source cannot be used, `out` holds something else or cannot be written.
    """
    parts, items = plan.lesions.parts()
    whole = claim(plan)
    there = (plan.out / MANIFEST).exists()
    # A kill between a new index and its manifest leaves what only the rest of a run mends.
    if there and _lacks_nothing(plan):
        return PreparedSet(plan.out).manifest
    if isinstance(plan.lesions, Table) and plan.lesions.marks.identity:
        write_originals(plan.lesions.place, plan.out)
    numbered = [{"part": number, "rows": rows} for number, rows in enumerate(parts)]
    make_parts("preparing", prepare_parts, numbered, whole, items)
    return write_manifest(whole, items, len(parts))


def _lacks_nothing(plan: Plan) -> bool:
    """Whether the set that is there has all masks, and the source's readings."""
    had = read_manifest(plan.out)
    source = plan.lesions
    read = readings_digest(source.place) if isinstance(source, Table) else ""
    return set(plan.masks) <= set(had["masks"]) and read == had.get("readings", {}).get(
        "digest", ""
    )


def main() -> None:
    """Parse the command line and prepare."""
    plan = parse(PrepareOptions, prog="python -m platform.prepare").plan()
    manifest = prepare(plan)
    item = plan.lesions.item
    say(f"{manifest['accepted']} lesions of {manifest['read']} {item}s in {plan.out}")
    for reason, count in manifest["reasons"].items():
        say(f"  {count} rejected: {reason}")
    for words, count in manifest.get("from_masks", {}).items():
        say(f"  {count} of the lesions {words}")
    if manifest.get("from_masks"):
        say(f"  both key slices and the volume of each lesion: {plan.out / FROM_MASKS}")
    for reader, count in manifest.get("readings", {}).get("readers", {}).items():
        say(f"  {count} of the lesions have a reading by {reader} too")
    for reason, count in manifest.get("readings", {}).get("aside", {}).items():
        say(f"  {count} readings set aside: {reason}")
    if manifest["rejected"]:
        say(f"  every rejected {item}: {plan.out / REJECTED}")
    if not manifest["accepted"]:
        raise InputError(f"no {item} was accepted", file=plan.lesions.place)


if __name__ == "__main__":
    run(main, again=SAME_AGAIN)
