"""Train and measure every row of a paper's table, and show it beside the paper's."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import tyro
from rich.console import Console

from dashboards.pages.reproduction import (
    Reproduction,
    Result,
    print_reproduction,
    summarised,
    write_reproduction,
)
from dashboards.tables.papers import PaperRow, paper_rows
from dashboards.tables.terminal import say
from platform.command_line.options import parse_config, run, take_system
from platform.running.cluster import cluster, has_gpu
from platform.running.datasets import Data, find_data
from platform.running.plans import Planned, start
from platform.running.storage import default_storage, writable
from platform.running.training import Training, check_room
from platform.tracking.provenance import provenance
from platform.tracking.recorder import Recorder
from platform.tracking.runs import NAME, end_run, find_or_create_run, is_finished
from platform.tracking.store import Store, open_store, reaching
from platform.train import TrainOptions
from trainables.answering.identity import WHOLE
from trainables.configs import edited, flatten
from trainables.recipe import rounds_of, total_epochs
from trainables.registry import find_table, find_variant, named_system, tables
from trainables.tables import PaperTable

C = TypeVar("C")
EXTERNAL = "external_test"


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(TrainOptions[C], Generic[C]):
    """Train every row of a paper's table; what a row stands for overrides the config's words.

    With --resume another table of the paper goes on with what one has trained.

    Attributes:
        table: its name.
        external: a prepared set whose test lesions stand for the paper's external test set;
            without it those rows of the paper have ours on the test lesions of `data` beside them.
            It may come with --resume.
    """

    table: Annotated[str, tyro.conf.Suppress]
    external: Path | None = None
    register: Annotated[str | None, tyro.conf.Suppress] = None  # rows of a table are not


@dataclass(frozen=True, kw_only=True)
class Reproducing(Planned):
    """One table being reproduced; its own fields are those of its options."""

    place = "reproductions"
    file = "reproduction.json"

    table: str
    workers: int
    cpus_per_worker: float
    external: Path | None = None
    pictures: bool = True

    @property
    def contents(self) -> PaperTable:
        """The rows, parts and columns."""
        return find_table(self.table)[1]

    @property
    def paper_rows(self) -> list[PaperRow]:
        """The paper's own rows; without a paper the table's, which have no figures."""
        table = self.contents
        if self.system.paper:
            return paper_rows(self.system.paper, table.number)
        return [
            PaperRow(
                paper="", table=table.number, dataset="", subgroup="all", method=method,
                metrics={}, units={},
            )
            for method in table.rows
        ]  # fmt: skip

    def training(self, variant: str, part: str) -> Training:
        """The training of one part of a row."""
        config = find_variant(self.system, variant)(self.config)
        name = f"{variant}-{part}" if part else variant
        return Training(
            name=name,
            folder=self.folder / name,
            system=self.system,
            preset=self.preset,
            config=edited(config, self.contents.parts[part]),
            data=self.data,
            workers=self.workers,
            cpus_per_worker=self.cpus_per_worker,
            parts=self.parts,
            pictures=self.pictures,
        )

    def rows(self, external: Data | None) -> Iterator[tuple[PaperRow, Data]]:
        """The paper's rows that have ours beside them, and what ours is measured on; each once."""
        done = set()
        for row in self.paper_rows:
            data = external if external and row.dataset == EXTERNAL else self.data
            key = (row.method, row.subgroup, data.root)
            if row.method in self.contents.rows and key not in done:
                done.add(key)
                yield row, data


def reproduce(plan: Reproducing, external: Data | None, store: Store) -> list[Result]:
    """Train what is not finished, and record every row; our rows in the paper's order."""
    again = f"what was trained is kept: start it and go on with --resume {plan.name}"
    with cluster() as resources, reaching(store, again):
        trainings = [plan.training(*pair) for pair in plan.contents.trainings]
        gpu = check_room(trainings[0], resources)
        plan.write()
        tags = {"lesion.system": plan.system.name, "lesion.preset": plan.preset,
                "lesion.state": "running", **plan.data.tags(), **provenance()}  # fmt: skip
        key = {"lesion.kind": "reproduce", "lesion.reproduce": plan.name,
               "lesion.table": plan.contents.number}  # fmt: skip
        own = {NAME: f"{plan.table}: {plan.name}", **tags}
        parent = find_or_create_run(store, key, own, flatten(plan.config))
        say(f"reproducing {plan.table} as {plan.name}: {len(trainings)} trainings on "
            f"{plan.data.description}\n  go on after a kill with --resume {plan.name}")  # fmt: skip
        recorder = Recorder(
            name=plan.name, store=store, parent=parent, resources=resources, gpu=gpu, tags=tags
        )
        for number, training in enumerate(trainings, 1):
            recorder.train(training, f"[{number}/{len(trainings)}]")
        results = [result_of(plan, *pair, recorder) for pair in plan.rows(external)]
        if not is_finished(store, parent):
            end_run(store, parent, "finished")
    return results


def result_of(plan: Reproducing, row: PaperRow, data: Data, recorder: Recorder) -> Result:
    """Ours for one row of the paper, measured and recorded."""
    table, variants = plan.contents, plan.contents.rows[row.method]
    measured = {
        name: recorder.measure([plan.training(variants[part], part) for part in parts], data)
        for name, parts in table.measured
    }
    result = summarised(row.method, row.subgroup, data.name, table.columns, measured)
    made = {part or WHOLE: variant for part, variant in variants.items()}
    recorder.row(row, result, {**made, "preset": plan.preset, "measured_on": data.description})
    return result


def view_of(plan: Reproducing, external: Data | None, results: list[Result]) -> Reproduction:
    """What is shown."""
    table = plan.contents
    recipe = plan.system.recipe(plan.config)
    trained = (
        f"Ours: the {plan.preset} preset, {len(rounds_of(recipe))} round(s) and "
        f"{total_epochs(recipe)} epoch(s) in all a training, one seed."
    )
    tags = {**plan.data.tags(), **provenance(), "lesion.preset": plan.preset}
    sets = dict.fromkeys(data.description for _, data in plan.rows(external))
    return Reproduction(
        name=plan.name,
        paper=plan.system.paper or plan.system.title,
        rows=plan.paper_rows,
        results=results,
        columns=list(table.columns),
        data=" and ".join(sets),
        merit=plan.system.merit,
        remarks=[trained, *filter(None, [table.note])],
        tags={name.removeprefix("lesion."): text for name, text in tags.items()},
    )


def main() -> None:
    """Parse the command line, train and show."""
    prog = "python -m platform.reproduce"
    elsewhere, words = take_system(sys.argv[1:])
    if elsewhere is not None:
        named_system(elsewhere)
    if not words or words[0] in ("-h", "--help"):
        say(f"usage: {prog} TABLE [--system SYSTEM] [--preset PRESET] [options]\n\n"
            f"TABLE is one of: {', '.join(tables())}. All options: {prog} {next(iter(tables()))} "
            "--help")  # fmt: skip
        sys.exit(0 if words else 2)
    name = words[0]
    system, _ = find_table(name)
    preset, options = parse_config(
        system,
        ReproduceOptions,
        words,
        prog=prog,
        has_gpu=has_gpu,
        make=lambda config: ReproduceOptions(config=config, table=name),
    )
    storage = writable(options.storage or default_storage())
    plan = start(Reproducing, system, preset, options, storage, prefix=name)
    external = None
    if place := options.external or plan.external:
        external = find_data(place, storage, plan.config.pseudo_mask)
    # Resumed for another table, it takes what both tables train as it is.
    plan = replace(plan, table=name, external=external.root if external else None)
    store = open_store(storage, system.name, system.paper)
    view = view_of(plan, external, reproduce(plan, external, store))
    print_reproduction(view, Console())
    path = storage / "reports" / f"{plan.name}-{plan.table}.html"
    write_reproduction(view, path)
    say(f"report: {path}\nall runs: mlflow ui --backend-store-uri {store.uri}")


if __name__ == "__main__":
    run(main)
