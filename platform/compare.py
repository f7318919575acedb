"""Show a sweep's result beside the paper's tables: in the terminal, and as one HTML page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from dashboards.pages.report import write_report
from dashboards.recorded.evidence import PUT_BACK
from dashboards.recorded.runs import read_sweep
from dashboards.tables.papers import shown_rows
from dashboards.tables.terminal import print_comparison, say
from lesions.names import inside
from platform.command_line.options import Outputs, parse, run
from platform.running.storage import default_storage, local
from platform.tracking.store import Store, find_store, reaching
from trainables.registry import find_system, named_system


def compare(store: Store, sweep: str | None, storage: Path) -> Path:
    """Print the comparison and write the report; the report's path.

    A report is never replaced by one that lacks the lesions, where the run's files are gone.
    """
    view = read_sweep(store.client, store.experiment, sweep)
    path = inside(storage / "reports", view.name, ".html")
    rows = shown_rows(find_system(store.experiment).paper)
    print_comparison(view, rows, Console())
    if view.lost:
        say(f"the sweep's lesions and pictures are gone from {view.lost}: {PUT_BACK}")
    if view.lost and path.exists():
        say("the report that there is stays as it was written before")
    else:
        write_report(view, rows, path)
    say(f"report: {path}\nall runs: {store.browsed_by}")
    return path


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Outputs):
    """Compare a sweep with the paper.

    Attributes:
        system: the system.
        sweep: the sweep's name; without it the newest.
        storage: where it was kept.
    """

    system: Annotated[str, tyro.conf.Positional]
    sweep: str | None = None
    storage: Path | None = None


def main() -> None:
    """Parse the command line and compare."""
    options = parse(CompareOptions, prog="python -m platform.compare")
    system = named_system(options.system)
    storage = local(options.storage or default_storage()).expanduser().absolute()
    store = find_store(storage, system.name)
    with reaching(store, "start it, or unset MLFLOW_TRACKING_URI to use a local file"):
        compare(store, options.sweep, storage)


if __name__ == "__main__":
    run(main)
