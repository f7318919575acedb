"""Train and measure every row of a paper's table, and show it beside the paper's."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import tyro
from rich.console import Console

from dashboards.reproduction import (
    Reproduction,
    Result,
    print_reproduction,
    summarised,
    write_reproduction,
)
from dashboards.runs import lesion_records
from dashboards.tables import PaperRow, paper_rows
from lesions import InputError
from platform.cli import parse_config, run
from platform.cluster import cluster, has_gpu
from platform.plans import Planned, start
from platform.storage import default_storage, writable
from platform.tracking import (
    NAME,
    PARENT,
    Store,
    end_run,
    find_or_create_run,
    is_finished,
    log_metrics,
    open_store,
    provenance,
    reaching,
)
from platform.train import Training, TrainOptions, check_room, record_training
from trainables.configs import edited, flatten
from trainables.registry import TABLES, find_table, find_variant
from trainables.tables import PaperTable

C = TypeVar("C")
Records = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(TrainOptions[C], Generic[C]):
    """Train every row of a paper's table; what a row stands for overrides the config's words.

    Attributes:
        table: its name.
    """

    table: Annotated[str, tyro.conf.Suppress]


@dataclass(frozen=True, kw_only=True)
class Reproducing(Planned):
    """One table being reproduced; its own fields are those of its options."""

    place = "reproductions"
    file = "reproduction.json"

    table: str
    workers: int
    cpus_per_worker: float

    @property
    def contents(self) -> PaperTable:
        """The rows, parts and columns."""
        return find_table(self.table)[1]

    @property
    def paper_rows(self) -> list[PaperRow]:
        """The paper's own rows."""
        return paper_rows(self.system.paper, self.contents.number)

    def training(self, variant: str, part: str) -> Training:
        """The training of one part of a row."""
        config = find_variant(self.system, variant)(self.config)
        name = f"{variant}-{part}"
        return Training(
            name=name,
            folder=self.folder / name,
            system=self.system,
            preset=self.preset,
            config=edited(config, self.contents.parts[part]),
            data=self.data,
            workers=self.workers,
            cpus_per_worker=self.cpus_per_worker,
        )

    def trainings(self) -> Iterator[tuple[str, str, Training]]:
        """(method, part, training), in the paper's order."""
        for method, variant in self.contents.rows.items():
            for part in self.contents.parts:
                yield method, part, self.training(variant, part)


def reproduce(plan: Reproducing, store: Store) -> list[Result]:
    """Train what is not finished, and record every row; our rows in the paper's order."""
    again = f"what was trained is kept: start it and go on with --resume {plan.name}"
    with cluster() as resources, reaching(store, again):
        trainings = list(plan.trainings())
        gpu = check_room(trainings[0][-1], resources)
        plan.write()
        parent = _parent(plan, store)
        print(f"reproducing {plan.table} as {plan.name}: {len(trainings)} trainings on "
              f"{plan.data.description}\n  go on after a kill with --resume {plan.name}",
              flush=True)  # fmt: skip
        measured: dict[str, dict[str, Records]] = {}
        for number, (method, part, training) in enumerate(trainings, 1):
            run_id = _part_run(plan, store, parent, method, training)
            done = is_finished(store, run_id)
            print(f"[{number}/{len(trainings)}] {training.name}{' is finished' if done else ''}",
                  flush=True)  # fmt: skip
            if not done:
                training.write()
                record_training(training, store, run_id, gpu, resources)
            measured.setdefault(method, {})[part] = lesion_records(store.client, run_id)
        results = list(_results(plan, measured))
        for result in results:
            _record_row(plan, store, parent, result)
        if not is_finished(store, parent):
            end_run(store, parent, "finished")
    return results


def _results(plan: Reproducing, measured: Mapping[str, dict[str, Records]]) -> Iterator[Result]:
    """Ours, one for each row of the paper that we train; a row's second data set is ours too."""
    table, done = plan.contents, set()
    for row in plan.paper_rows:
        key = (row.method, row.subgroup)
        if row.method in measured and key not in done:
            done.add(key)
            yield summarised(*key, table.columns, measured[row.method])


def _parent(plan: Reproducing, store: Store) -> str:
    key = {"lesion.kind": "reproduce", "lesion.reproduce": plan.name}
    tags = {NAME: plan.name, "lesion.table": plan.contents.number, **_tags(plan)}
    return find_or_create_run(store, key, tags, flatten(plan.config))


def _part_run(plan: Reproducing, store: Store, parent: str, method: str, training: Training) -> str:
    key = {"lesion.kind": "part", PARENT: parent, "lesion.train": training.name}
    tags = {NAME: training.name, "lesion.method": method, **_tags(plan)}
    tags["lesion.protocol"] = plan.system.protocol(training.config)
    return find_or_create_run(store, key, tags, flatten(training.config))


def _record_row(plan: Reproducing, store: Store, parent: str, result: Result) -> None:
    """Ours in the paper's own metric names, as the paper's row has them in MLflow."""
    key = {"lesion.kind": "row", PARENT: parent, "lesion.method": result.method,
           "lesion.subgroup": result.subgroup}  # fmt: skip
    name = f"ours: {result.method} · {result.subgroup}"
    tags = {NAME: name, "lesion.table": plan.contents.number, **_tags(plan)}
    run_id = find_or_create_run(
        store, key, tags, {"variant": plan.contents.rows[result.method], "preset": plan.preset}
    )
    if not is_finished(store, run_id):
        log_metrics(store, run_id, result.metrics)
        end_run(store, run_id, "finished")


def _tags(plan: Reproducing) -> dict[str, str]:
    return {"lesion.system": plan.system.name, "lesion.preset": plan.preset,
            "lesion.state": "running", **plan.data.tags(), **provenance()}  # fmt: skip


def view_of(plan: Reproducing, results: list[Result]) -> Reproduction:
    """What is shown."""
    table = plan.contents
    training = plan.config.training
    trained = f"Ours: the {plan.preset} preset, {training.epochs} epoch(s) a training, one seed."
    tags = {**plan.data.tags(), **provenance(), "lesion.preset": plan.preset}
    return Reproduction(
        name=plan.name,
        paper=plan.system.paper,
        rows=plan.paper_rows,
        results=results,
        columns=list(table.columns),
        data=plan.data.description,
        remarks=[trained, *filter(None, [table.note])],
        tags={name.removeprefix("lesion."): text for name, text in tags.items()},
    )


def main() -> None:
    """Parse the command line, train and show."""
    words, prog = sys.argv[1:], "python -m platform.reproduce"
    if not words or words[0] in ("-h", "--help"):
        print(f"usage: {prog} TABLE [--preset auto|paper|tiny] [options]\n\n"
              f"TABLE is one of: {', '.join(TABLES)}. All options: {prog} {next(iter(TABLES))} "
              "--help")  # fmt: skip
        sys.exit(0 if words else 2)
    name = words[0]
    system, _ = find_table(name)
    preset, options = parse_config(
        system,
        ReproduceOptions,
        prog=prog,
        has_gpu=has_gpu,
        make=lambda config: ReproduceOptions(config=config, table=name),
    )
    storage = writable(options.storage or default_storage())
    plan = start(Reproducing, system, preset, options, storage, prefix=name)
    if plan.table != name:
        raise InputError(
            f"{plan.name} reproduces {plan.table}, not {name}",
            remedy=f"python -m platform.reproduce {plan.table} --resume {plan.name}",
        )
    store = open_store(storage, system.name, system.paper)
    view = view_of(plan, reproduce(plan, store))
    print_reproduction(view, Console())
    path = storage / "reports" / f"{plan.name}.html"
    write_reproduction(view, path)
    print(f"report: {path}\nall runs: mlflow ui --backend-store-uri {store.uri}")


if __name__ == "__main__":
    run(main)
