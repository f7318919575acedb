"""After the search: the best trial measured once on the test lesions, and recorded."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboards.pages.view import evenly_apart, overlay_name
from dashboards.plots.attention import attention_picture
from dashboards.plots.overlays import overlay
from dashboards.recorded.artifacts import files_of
from dashboards.tables.leaks import leak_metrics, leak_notes
from dashboards.tables.metrics import units_of
from dashboards.tables.terminal import say
from lesions import Recist
from lesions.metrics.merit import Merit
from lesions.prepared import PreparedSet
from lesions.readers.png import decode_labels
from platform.tracking.champions import ARTIFACTS, log_checkpoint
from platform.tracking.runs import (
    NAME,
    PARENT,
    end_run,
    find_or_create_run,
    log_metrics,
    merit_tags,
    set_tags,
)
from platform.tracking.store import Store
from trainables.evaluate import summarise
from trainables.registry import named_system, word_of
from trainables.system import System
from trainables.workers import Job, evaluate

OVERLAYS = 9
FOR_PICTURES = {"mask", "attended", "square"}  # of a row
UNITS = "lesion.units"  # the tag that says those of the run's metrics
TRAINED_ON = "lesion.trained_on"  # the tag that says what of the split was trained on


def record_test(
    store: Store, run_id: str, job: Job, checkpoint: Path, resources: dict[str, float],
    pictures: bool,
) -> None:  # fmt: skip
    """A model's checkpoint, and what it measures on the test split, into its run."""
    log_checkpoint(store, run_id, checkpoint)
    system = named_system(job.system)
    record_measured(store, run_id, system, job.data, [checkpoint], resources, pictures)


def record_measured(
    store: Store, run_id: str, system: System, data: Path, checkpoints: Sequence[Path],
    resources: dict[str, float], pictures: bool,
) -> None:  # fmt: skip
    """The metrics and rows of a model, or of several in order, on a set's test split.

    The run says by which merit, and whether lesions of the split were trained on. With `pictures`
    also overlays of lesions from the best to the worst, evenly apart.
    """
    import ray

    task = ray.remote(num_cpus=1, num_gpus=1 if resources.get("GPU", 0) > 0 else 0)(evaluate)
    rows = ray.get(task.remote(checkpoints, data, "test", word_of(system)))
    set_tags(store, run_id, {**merit_tags(system.merit), UNITS: units_of(system.reported)})
    if not rows:
        say("the prepared set has no test lesions: nothing to measure")
        return
    notes = list(leak_notes(rows))
    for note in notes:
        say(note)
    set_tags(store, run_id, {TRAINED_ON: " ".join(notes)})
    log_metrics(store, run_id, _test_metrics(system, rows) | leak_metrics(rows))
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder) / "lesions.json", rows)
        if pictures:
            write_pictures(Path(folder), rows, PreparedSet(data, "test"), system.merit)
        files_of(store.client, run_id).write(Path(folder), ARTIFACTS)


def record_references(
    store: Store, parent: str, system: System, measured: Mapping[str, Sequence[dict[str, Any]]]
) -> None:
    """One child run a reference method, with its metrics on the same test lesions."""
    for method, rows in measured.items():
        key = {PARENT: parent, "lesion.method": method}
        run_id = find_or_create_run(store, key, {"lesion.kind": "reference", NAME: method}, {})
        if rows:
            log_metrics(store, run_id, _test_metrics(system, rows))
        end_run(store, run_id, "finished")


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Every lesion's names, metrics and endpoints, as JSON."""
    # A NaN (the distance to an empty mask) is no JSON.
    plain = [
        {k: None if v != v else v for k, v in row.items() if k not in FOR_PICTURES} for row in rows
    ]
    path.write_text(json.dumps(plain, indent=1))


def write_pictures(
    folder: Path, rows: Sequence[dict[str, Any]], lesions: PreparedSet, merit: Merit
) -> None:
    """Pictures of lesions from the best to the worst by the merit, evenly apart.

    In `overlays` with outlines and diameters; in `attention` with what was weighed, if anything.
    """
    (folder / "overlays").mkdir()
    ranked = sorted(
        range(len(rows)),
        key=lambda at: (merit.rank(rows[at][merit.name]), rows[at]["file"], rows[at]["row"]),
    )
    for place in evenly_apart(len(ranked), OVERLAYS):
        lesion, row = lesions[ranked[place]], rows[ranked[place]]
        found = None if row["endpoints"] is None else Recist(row["endpoints"])
        mask = None if row["mask"] is None else decode_labels(row["mask"])
        picture = overlay(lesion, lesion.mask(row["truth"]), mask, lesion.recist, found)
        name = overlay_name(place + 1, lesion.file)
        (folder / "overlays" / name).write_bytes(picture)
        if (seen := row["attended"]) is not None:
            inside = attention_picture(lesion, row["square"], seen.own, seen.partners, seen.where)
            (folder / "attention").mkdir(exist_ok=True)
            (folder / "attention" / name).write_bytes(inside)


def _test_metrics(system: System, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    summary = summarise(system, rows)
    return summary | {"test_n": summary["n"], "test_patients": summary["patients"]}
