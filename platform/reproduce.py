"""Train and measure every row of a paper's table, and show it beside the paper's."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro
from rich.console import Console

from dashboards.pages.reproduction import (
    Reproduction,
    print_reproduction,
    write_reproduction,
)
from dashboards.tables.differences import differences, seeds_in_words
from dashboards.tables.papers import PaperRow, known_rows
from dashboards.tables.readers import AgainstReaders, readers_records
from dashboards.tables.results import Result, summarised
from dashboards.tables.shares import shares
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.writers.csv_rows import write_csv
from platform.command_line.options import parse_config, run, take_system
from platform.running.cluster import cluster, has_gpu
from platform.running.datasets import Data, find_data
from platform.running.plans import start
from platform.running.readings import Judges
from platform.running.reproducing import Reproducing
from platform.running.storage import default_storage, found_again, writable
from platform.running.training import check_room
from platform.tracking.provenance import provenance
from platform.tracking.recorder import Recorder, seeds_tag
from platform.tracking.runs import (
    NAME,
    end_run,
    find_or_create_run,
    interruptible,
    is_finished,
    reopen_for_news,
)
from platform.tracking.store import Store, open_store, reaching
from platform.train import TrainOptions
from trainables.answering.identity import WHOLE
from trainables.configs import edited, flatten
from trainables.recipe import rounds_of, total_epochs
from trainables.registry import find_table, named_system, tables

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(TrainOptions[C], Generic[C]):
    """Train every row of a paper's table; what a row stands for overrides the config's words.

    With --resume another table of the paper goes on with what one has trained.

    Attributes:
        table: its name.
        external: a prepared set whose test lesions stand for the paper's external test set;
            without it those rows of the paper have ours on the test lesions of `data` beside them.
            It may come with --resume.
        seeds: every row is trained with each, `--seeds 0 1 2`; without them the config's own alone.
            With --resume those that it has, and further ones.
    """

    table: Annotated[str, tyro.conf.Suppress]
    external: Path | None = None
    seeds: tuple[int, ...] = ()
    register: Annotated[str | None, tyro.conf.Suppress] = None  # rows of a table are not

    def __post_init__(self) -> None:
        """InputError for what no table can be trained with."""
        super().__post_init__()
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"--seeds {' '.join(map(str, self.seeds))} has one twice")
        for seed in self.seeds:
            edited(self.config, {"training.seed": seed})


def reproduce(plan: Reproducing, external: Data | None, store: Store, page: Path) -> None:
    """Train what is not finished, all with one seed before the next; record and show every row.

    Before the trainings of a further seed begin, the table stands with those before: an end then
    leaves it whole.
    """
    again = f"what was trained is kept: start it and go on with --resume {plan.name}"
    with cluster() as resources, reaching(store, again):
        trainings = {seed: plan.trainings(seed) for seed in plan.every_seed}
        gpu = check_room(trainings[plan.every_seed[0]][0], resources)
        plan.write()
        recorder = Recorder(
            name=plan.name, store=store, parent=_open_run(plan, store), resources=resources,
            gpu=gpu, tags=_tags(plan),
        )  # fmt: skip
        total = sum(map(len, trainings.values()))
        say(f"reproducing {plan.table} as {plan.name}: {total} trainings on "
            f"{plan.data.description}\n  go on after a kill with --resume {plan.name}")  # fmt: skip
        with interruptible(store, recorder.parent):
            numbers = count(1)
            for done, mine in enumerate(trainings.values(), 1):
                for training in mine:
                    recorder.train(training, f"[{next(numbers)}/{total}]")
                following = trainings[plan.every_seed[done]] if done < len(trainings) else []
                if not following or not all(map(recorder.is_trained, following)):
                    show(plan, external, recorder, plan.every_seed[:done], page)
            if not is_finished(store, recorder.parent):
                end_run(store, recorder.parent, "finished")


def _open_run(plan: Reproducing, store: Store) -> str:
    """The table's run; one that was closed goes on where seeds were added."""
    key = {"lesion.kind": "reproduce", "lesion.reproduce": plan.name,
           "lesion.table": plan.contents.number}  # fmt: skip
    tags = {NAME: f"{plan.table}: {plan.name}", **_tags(plan)}
    run_id = find_or_create_run(store, key, tags, flatten(plan.config))
    reopen_for_news(store, run_id, seeds_tag(plan.every_seed))
    return run_id


def _tags(plan: Reproducing) -> dict[str, str]:
    return {"lesion.system": plan.system.name, "lesion.preset": plan.preset,
            "lesion.state": "running", **plan.data.tags(), **provenance()}  # fmt: skip


def show(
    plan: Reproducing, external: Data | None, recorder: Recorder, seeds: Sequence[int], page: Path
) -> None:
    """Measure and record every row with these seeds; print them, and write the page."""
    judges = plan.judges(external)
    pairs = [
        (row, data) for row, data in plan.rows(external) if judges[data.root].judges(row.subgroup)
    ]
    results = [result_of(plan, *pair, recorder, seeds, judges) for pair in pairs]
    view = view_of(plan, external, results, seeds)
    view = replace(view, against=against_readers(plan, recorder, seeds, judges[plan.data.root]))
    print_reproduction(view, Console())
    write_reproduction(view, page)
    if view.against is not None:
        path = page.with_name(f"{page.stem}-readers.csv")
        write_csv(path, *readers_records(view.against))
        say(f"every reader against every other: {path}")


def result_of(
    plan: Reproducing, row: PaperRow, data: Data, recorder: Recorder, seeds: Sequence[int],
    judges: Mapping[Path, Judges],
) -> Result:  # fmt: skip
    """Ours for one row of the paper, measured and recorded; parts in order are of one seed."""
    table, variants = plan.contents, plan.contents.rows[row.method]
    judge = judges[data.root]
    measured = {
        seed: {
            name: judge.judged(
                recorder.measure(
                    [plan.training(variants[part], part, seed) for part in parts], data
                ),
                row.subgroup,
            )
            for name, parts in table.measured
        }
        for seed in seeds
    }
    kind = "all" if row.subgroup in table.readers else row.subgroup
    result = summarised(row.method, kind, data.name, table.columns, measured, table.of_lesions)
    result = replace(result, subgroup=row.subgroup)
    made = {part or WHOLE: variant for part, variant in variants.items()}
    params = {**made, "preset": plan.preset, "measured_on": data.description}
    recorder.row(row, result, params, seeds_tag(seeds))
    return result


def against_readers(
    plan: Reproducing, recorder: Recorder, seeds: Sequence[int], judges: Judges
) -> AgainstReaders | None:
    """Readers and rows of the table against each reader; None where nobody else has read."""
    table = plan.contents
    if not table.readers or not judges.readers:
        return None
    (_, parts), *_ = table.measured
    methods = {
        method: [
            judges.read(recorder.measure(
                [plan.training(variants[part], part, seed) for part in parts], plan.data
            ))
            for seed in seeds
        ]
        for method, variants in table.rows.items()
    }  # fmt: skip
    return AgainstReaders(readers=judges.readers, methods=methods)


def view_of(
    plan: Reproducing, external: Data | None, results: list[Result], seeds: Sequence[int]
) -> Reproduction:
    """What is shown."""
    table = plan.contents
    recipe = plan.system.recipe(plan.config)
    trained = (
        f"Ours: the {plan.preset} preset, {len(rounds_of(recipe))} round(s) and "
        f"{total_epochs(recipe)} epoch(s) in all a training, {seeds_in_words(seeds)}."
    )
    tags = {**plan.data.tags(), **provenance(), "lesion.preset": plan.preset}
    rows = list(plan.rows(external))
    sets = dict.fromkeys(data.description for _, data in rows)
    # What one reader says stands in MLflow, and in a table of its own.
    results = [one for one in results if one.subgroup not in table.readers]
    rows = [(row, data) for row, data in rows if row.subgroup not in table.readers]
    ours = zip((row for row, _ in rows), results, strict=True)
    return Reproduction(
        name=plan.name,
        paper=plan.system.paper or plan.system.title,
        rows=plan.paper_rows,
        results=results,
        columns=list(table.columns),
        data=" and ".join(sets),
        merit=plan.system.merit,
        seeds=seeds,
        differences=differences(results, table.columns),
        shares=shares(ours, known_rows(plan.system.paper)),
        remarks=[trained, *filter(None, [table.note])],
        tags={name.removeprefix("lesion."): text for name, text in tags.items()},
    )


def reproduce_and_say(
    plan: Reproducing, table: str, options: ReproduceOptions[Any], storage: Path
) -> None:
    """Reproduce a table with what the options add to its plan."""
    external = None
    if place := options.external or plan.external:
        external = find_data(found_again(place, storage), storage, plan.config.pseudo_mask)
    # Resumed for another table, it takes what both tables train as it is.
    plan = replace(
        plan, table=table, external=external.root if external else None,
        seeds=plan.seeds_with(options.seeds),
    )  # fmt: skip
    store = open_store(storage, plan.system.name, plan.system.paper)
    page = storage / "reports" / f"{plan.name}-{plan.table}.html"
    reproduce(plan, external, store, page)
    say(f"report: {page}\nall runs: {store.browsed_by}")


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
    with start(Reproducing, system, preset, options, storage, prefix=name) as plan:
        reproduce_and_say(plan, name, options, storage)


if __name__ == "__main__":
    run(main)
