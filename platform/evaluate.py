"""Evaluate a trained system on test lesions, external sets too, beside its paper."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.console import Console
from rich.progress import track

from dashboards.pages.evaluation import Evaluation, print_evaluation, write_evaluation
from dashboards.pages.lesion_rows import write_lesions
from dashboards.plots.overlays import overlay
from dashboards.recorded.artifacts import files_of
from dashboards.tables.leaks import leak_notes
from dashboards.tables.metrics import units_of
from dashboards.tables.readers import AgainstReaders
from dashboards.tables.terminal import say
from lesions import InputError, Recist
from lesions.metrics.paired import Which
from lesions.metrics.readers import Reading
from lesions.prepared import PreparedSet
from lesions.readers.png import decode_labels
from lesions.readers.readings import MARKS
from lesions.seen import Seen, trained_on
from platform.command_line.models import WhichModel, checkpoints
from platform.command_line.options import parse, run
from platform.running.actors import over_actors
from platform.running.cluster import cluster
from platform.running.datasets import Data, check_one_kind, find_data
from platform.running.interrupted import stopping_in_order
from platform.running.new_results import NewResult, new_result
from platform.running.readings import readers_of, readings_of
from platform.running.storage import default_storage, writable
from platform.tracking.provenance import provenance
from platform.tracking.results import TRAINED_ON, UNITS
from platform.tracking.runs import NAME, end_run, interruptible, log_metrics, log_params, new_run
from platform.tracking.store import Store, open_store, reaching
from trainables.answering.evaluating import Evaluator, items_of, rows_of
from trainables.answering.identity import WHOLE, Identity, identify
from trainables.checkpoint import read_seen
from trainables.parts import Parts, load_parts
from trainables.registry import named_system
from trainables.system import System


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(WhichModel):
    """Measure a trained system on the lesions of prepared sets.

    Attributes:
        system: one of the published systems, or one from elsewhere, as package.module:Class; each
            lesion makes the prompt that it is told.
        data: prepared sets, measured together and each; without it the shipped sample.
        split: the lesions of it.
        tta: average over mirrored views, where the system does so; takes longer.
        perpendicular: turn the shorter of two predicted axes to be perpendicular to the longer one.
        name: of the result; without it one is made from the time.
        pictures: of lesions in MLflow; `--no-pictures` keeps the page that has them out of it.
    """

    system: Annotated[str, tyro.conf.Positional]
    data: tuple[Path, ...] = ()
    split: Literal["train", "validation", "test"] = "test"
    tta: bool = False
    perpendicular: bool = False
    name: str | None = None
    pictures: bool = True


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """What is evaluated.

    Attributes:
        name: the result's.
        word: the one that names the system.
        parts: what answers, loaded on the CPU to be asked what it is.
        model: its checkpoints.
        sets: the data.
        split, tta, perpendicular: as in the options.
        seen: what each part was trained on; None where its checkpoint does not say.
    """

    name: str
    word: str
    parts: Parts
    model: Identity
    sets: Sequence[Data]
    split: str
    tta: bool
    perpendicular: bool = False
    seen: Sequence[Seen | None] = ()

    @property
    def system(self) -> System:
        """What is evaluated."""
        return self.parts.system

    @property
    def alone(self) -> str:
        """The last of several parts, which is measured alone, too; "" of one."""
        return self.parts.names[-1] if len(self.parts.names) > 1 else ""

    def told_alone(self) -> list[str]:
        """What that part alone is told beyond what all are."""
        words = self.parts.telling.words
        return [word for word in self.parts.alone(-1).telling.words if word not in words]

    def tags(self) -> dict[str, str]:
        """As MLflow tags."""
        truths = dict.fromkeys(data.truth for data in self.sets)
        prints = [data.fingerprint for data in self.sets]
        joined = hashlib.sha256("".join(prints).encode()).hexdigest()
        return {
            "lesion.data": "; ".join(data.description for data in self.sets),
            "lesion.data_fingerprint": prints[0] if len(prints) == 1 else joined,
            "lesion.truth": "; ".join(truths),
            "lesion.protocol": self.parts.protocol,
            **provenance(),
        }

    def params(self) -> dict[str, Any]:
        """As MLflow params; folders by their names, as a server's readers need not know where."""
        params: dict[str, Any] = {
            "split": self.split, "tta": self.tta, "perpendicular": self.perpendicular,
            "method": self.parts.method,
        }  # fmt: skip
        for name, part in self.model.parts.items():
            own = {"checkpoint": part.folder.name, "sha256": self.model.digests[name]}
            own |= {} if part.registered is None else {"registered": part.registered}
            params |= {f"{name or WHOLE}.{key}": text for key, text in own.items()}
        return params | {f"data.{number}": data.root.name for number, data in enumerate(self.sets)}


def start(options: EvaluateOptions, name: str, storage: Path) -> Evaluating:
    """What the options name.

    Raises:
        InputError: no checkpoint there, no prepared set, or one without lesions of the split.
    """
    system = named_system(options.system)
    model = identify(system.name, checkpoints(system, options.model, options.storage))
    parts = load_parts(model.folders, torch.device("cpu"))
    roots: Sequence[Path | None] = options.data or (None,)
    sets = [find_data(root, storage, split=options.split) for root in roots]
    check_one_kind(sets)
    for data in sets:
        if not len(PreparedSet(data.root, options.split)):
            raise InputError(f"the set has no {options.split} lesions", file=data.root)
    return Evaluating(
        name=name, word=options.system, parts=parts, model=model, sets=sets, split=options.split,
        tta=options.tta, perpendicular=options.perpendicular,
        seen=[read_seen(folder) for folder in model.folders],
    )  # fmt: skip


def evaluate(plan: Evaluating) -> Evaluation:
    """Measure every lesion on the cluster's cores or GPUs.

    Raises:
        InputError: not one lesion could be measured.
    """
    items = items_of([data.root for data in plan.sets], plan.split)
    rows: list[dict[str, Any]] = []
    with cluster() as resources:
        arguments = {"system": plan.word, "folders": plan.model.folders, "tta": plan.tta,
                     "perpendicular": plan.perpendicular}  # fmt: skip
        answers = over_actors(items, Evaluator, arguments, resources)
        for answer in track(answers, "evaluating", len(items)):
            rows += rows_of(answer)
    rows.sort(key=lambda row: (row["set"], row["index"]))
    measured = [row for row in rows if "reason" not in row]
    mark_seen(measured, plan.seen)
    if not measured:
        raise InputError(f"no lesion could be measured, the first: {rows[0]['reason']}")
    tags = plan.tags()
    against = against_readers(plan, measured)
    return Evaluation(
        name=plan.name,
        paper=plan.system.paper,
        method=plan.parts.method,
        merit=plan.system.merit,
        reported=plan.system.reported,
        alone=plan.alone,
        told=" and ".join(plan.told_alone()) if plan.alone else "",
        sets=[data.name for data in plan.sets],
        data=tags["lesion.data"],
        truth=tags["lesion.truth"],
        rows=measured,
        aside=[row for row in rows if "reason" in row],
        against=against,
        tags={name.removeprefix("lesion."): text for name, text in tags.items()},
    )


def against_readers(plan: Evaluating, rows: Sequence[dict[str, Any]]) -> AgainstReaders | None:
    """The readers of all sets and what is evaluated; None where nobody else has read a lesion."""
    readers: dict[str, dict[Which, Reading]] = {}
    ours: dict[Which, Reading] = {}
    for number, data in enumerate(plan.sets):
        before = f"{number} "
        found = readers_of(PreparedSet(data.root, plan.split), before)
        for name, own in found.items():
            readers.setdefault(name, {}).update(own)
        if found:
            mine = [row for row in rows if row["set"] == number]
            ours |= readings_of(mine, found[MARKS], before)
    if not readers or not ours:
        return None
    return AgainstReaders(readers=readers, methods={plan.parts.method: [ours]})


def mark_seen(rows: Sequence[dict[str, Any]], parts: Sequence[Seen | None]) -> None:
    """Put `trained_on` in the place of a row's `pixels`: whether one of the parts has seen it."""
    for row in rows:
        patient, pixels = row["patient"], row.pop("pixels")
        row["trained_on"] = trained_on(parts, patient, pixels)


def pictures_of(plan: Evaluating, view: Evaluation) -> list[tuple[dict[str, Any], bytes]]:
    """Pictures of the lesions that the page shows, the human's and ours."""
    drawn = []
    for row in view.shown():
        lesion = PreparedSet(plan.sets[row["set"]].root, plan.split)[row["index"]]
        found = None if row["endpoints"] is None else Recist(row["endpoints"])
        truth, mask = lesion.mask(row["truth"]), row["mask"]
        mask = None if mask is None else decode_labels(mask)
        drawn.append((dict(row), overlay(lesion, truth, mask, lesion.recist, found)))
    return drawn


def record(store: Store, plan: Evaluating, view: Evaluation, files: Sequence[Path]) -> None:
    """One run with what was evaluated, its metrics and files."""
    tags = {NAME: plan.name, "lesion.kind": "evaluate", "lesion.evaluate": plan.name,
            "lesion.system": plan.system.name, TRAINED_ON: " ".join(leak_notes(view.rows)),
            UNITS: units_of(plan.system.reported), **plan.tags()}  # fmt: skip
    run_id = new_run(store, tags)
    with interruptible(store, run_id):
        log_params(store, run_id, plan.params())
        log_metrics(store, run_id, view.metrics())
        for path in files:
            files_of(store.client, run_id).write(path)
        end_run(store, run_id, "finished")


def evaluate_and_record(options: EvaluateOptions, storage: Path, result: NewResult) -> None:
    """Measure, print, write the page and the table, and record."""
    plan = start(options, result.name, storage)
    store = open_store(storage, plan.system.name, plan.system.paper)
    view = evaluate(plan)
    with stopping_in_order():  # a matter of seconds: what is measured is written and recorded whole
        write_lesions(view, result.rows)
        write_evaluation(view, pictures_of(plan, view), result.report)
        print_evaluation(view, Console())
        say(f"report: {result.report}\nevery lesion: {result.rows}")
        with reaching(store, "the report is written; evaluate again to record it"):
            record(store, plan, view, result.files(options.pictures))
    say(f"all runs: {store.browsed_by}")


def main() -> None:
    """Parse the command line, measure, print, write and record."""
    options = parse(EvaluateOptions, prog="python -m platform.evaluate")
    storage = writable(options.storage or default_storage())
    with new_result(storage / "evaluations", options.name, "evaluate") as result:
        evaluate_and_record(options, storage, result)


if __name__ == "__main__":
    run(main)
