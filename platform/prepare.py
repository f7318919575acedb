"""Read, check and mask a data set: a table and slices in, a prepared set out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lesions import InputError
from lesions.masks import PSEUDO_MASKS
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.prepared_set import MANIFEST, REJECTED, PreparedSet
from lesions.prepared.preparing import Plan, parts_of, prepare_parts
from lesions.readers.deeplesion import TABLE, read_table
from platform.cli import parse, run
from platform.cluster import cluster
from platform.storage import writable

MOST_PARTS = 8  # in a task: the progress bar moves when one is done


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Prepare a data set in DeepLesion's layout.

    Attributes:
        source: the folder that holds DL_info.csv and Images_png/.
        out: where the prepared set goes; run again after a kill, it goes on where it was.
        masks: the pseudo masks to make, comma-separated; a set that is there is given those that
            it lacks, and keeps the others.
        keep_noisy: take rows that the data set flags as possibly noisy.
    """

    source: Path
    out: Path
    masks: str = "snakes"
    keep_noisy: bool = False

    def plan(self) -> Plan:
        """The plan, with absolute paths and known mask names."""
        masks = tuple(name.strip() for name in self.masks.split(",") if name.strip())
        if unknown := [name for name in masks if name not in PSEUDO_MASKS]:
            raise InputError(
                f"there is no pseudo mask {unknown[0]!r}",
                remedy=f"choose of {', '.join(PSEUDO_MASKS)}",
            )
        source = self.source.expanduser().absolute()
        return Plan(source=source, out=writable(self.out), masks=masks, keep_noisy=self.keep_noisy)


def prepare(plan: Plan) -> dict[str, Any]:
    """Make the prepared set of a plan, or give a set the masks that it lacks; its manifest.

    Every part is written by the worker that made it, so neither the driver nor the object store
    ever holds pixels, and a part that an earlier run finished is not made again. While a set is
    given masks its manifest stays, and stays true: a kill leaves the set as it was.

    Raises:
        InputError: the table cannot be used, `out` holds something else or cannot be written.
    """
    parts, read = _parts(plan.source)
    whole = claim(plan)
    if (plan.out / MANIFEST).exists():
        manifest = PreparedSet(plan.out).manifest
        if set(plan.masks) <= set(manifest["masks"]):
            return manifest
    with _progress_bar() as progress:
        task = progress.add_task("preparing", total=read)
        for outcome in run_parts(parts, whole):
            if outcome["error"]:
                raise InputError(
                    f"a part cannot be written: {outcome['error']}",
                    file=plan.out,
                    remedy="make room and run the same command again: finished parts are kept",
                )
            progress.advance(task, outcome["rows"])
    return write_manifest(whole, read, len(parts))


def _parts(source: Path) -> tuple[list[bytes], int]:
    """The parts of a table and how many rows it has; the rows themselves are let go."""
    rows = read_table(source)
    return parts_of(rows), len(rows)


def run_parts(parts: list[bytes], plan: Plan) -> Iterator[dict[str, Any]]:
    """Make the parts on the cluster's cores; each one's outcome as it is done."""
    with cluster() as resources:
        import ray

        # Plain tasks: no pixel passes between them, and Ray Data takes a second of its own.
        task = ray.remote(num_cpus=1)(prepare_parts)
        items = [{"part": number, "rows": rows} for number, rows in enumerate(parts)]
        cores = max(1, int(resources.get("CPU", 1)))
        waiting = [task.remote(items[share], plan) for share in _shares(len(items), cores)]
        try:
            while waiting:
                done, waiting = ray.wait(waiting)
                for outcomes in ray.get(done):
                    yield from outcomes
        finally:
            for one in waiting:
                ray.cancel(one)


def _shares(parts: int, cores: int) -> Iterator[slice]:
    """What each task makes: several parts, since tasks cost, but one where the end is near."""
    first = 0
    while first < parts:
        share = min(MOST_PARTS, max(1, (parts - first) // (4 * cores)))
        yield slice(first, first + share)
        first += share


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )


def main() -> None:
    """Parse the command line and prepare."""
    plan = parse(PrepareOptions, prog="python -m platform.prepare").plan()
    manifest = prepare(plan)
    print(f"{manifest['accepted']} lesions of {manifest['read']} rows in {plan.out}")
    for reason, count in manifest["reasons"].items():
        print(f"  {count} rejected: {reason}")
    if manifest["rejected"]:
        print(f"  every rejected row: {plan.out / REJECTED}")
    if not manifest["accepted"]:
        raise InputError("no row was accepted", file=plan.source / TABLE)


if __name__ == "__main__":
    run(main)
