"""A sweep and a registered model in a real MLflow store whose database somebody has written to."""

import atexit
import contextlib
import io
import json
import os
import shutil
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from lesions import InputError
from lesions.errors import printable
from tests.lesions.readers.fuzz.mutations import FLOATS, INTEGERS, TEXTS, mutate

COLUMNS = {
    "runs": ("name", "status", "start_time", "end_time", "artifact_uri", "lifecycle_stage"),
    "tags": ("key", "value", "value", "value"),
    "params": ("key", "value", "value"),
    "metrics": ("value", "step", "is_nan", "timestamp", "key"),
    "latest_metrics": ("value", "value", "step", "is_nan", "key"),
    "model_versions": ("version", "creation_time", "source", "run_id", "status"),
    "model_version_tags": ("key", "value", "value"),
    "registered_models": ("name", "creation_time"),
    "registered_model_aliases": ("alias", "version"),
    "experiments": ("artifact_location",),
}
LESION = {"file": "a.png", "row": 1, "patient": "1", "lesion_type": "lung", "precision": 0.9,
          "recall": 0.7, "dice": 0.8, "long_axis_error": 1.5, "short_axis_error": None,
          "long_axis_mm": 12.0, "short_axis_mm": 8.0}  # fmt: skip
ARTIFACTS = {"lesions.json": json.dumps([LESION, {**LESION, "dice": 0.5}]).encode(),
             "config.json": b'{"model": {"width": 32}, "loss": {"weight": 0.01}}'}  # fmt: skip


def write(chance: Random, folder: Path) -> None:
    """What is to be written into which column of which row, and artifacts."""
    _store()  # made here: it is no part of what reading costs
    damages = [_damage(chance) for _ in range(chance.choice((1, 1, 2, 4, 16)))]
    artifact = None
    if chance.random() < 0.2:
        name = chance.choice(sorted(ARTIFACTS))
        artifact = [name, mutate(ARTIFACTS[name], chance).decode("latin-1")]
    whole = {"rows": damages, "artifact": artifact, "page": chance.random() < 0.1}
    (folder / "damage.json").write_text(json.dumps(whole))


def _damage(chance: Random) -> list[Any]:
    table = chance.choice(sorted(COLUMNS))
    value = chance.choice((
        chance.choice([text for text in TEXTS if text != "\udc80"]), chance.choice(INTEGERS),
        chance.choice(FLOATS), None, "lesion.val_dice", "search.x", "val_dice", "x'\"y",
        "lower", "long_axis_error",
    ))  # fmt: skip
    if isinstance(value, int) and value >= 2**63:
        value = -1
    return [table, chance.random(), chance.choice(COLUMNS[table]), value]


def read(folder: Path) -> tuple[int, list[str]]:
    """What is shown of the sweep and of the models, and why the rest is not."""
    damage = json.loads((folder / "damage.json").read_text())
    root, store = _store()
    _apply(root, damage)
    accepted, reasons, said = 0, list[str](), io.StringIO()
    try:
        for act in (_sweep, _models, _fetched):
            try:
                with contextlib.redirect_stdout(said):
                    act(store, folder, damage["page"])
                accepted += 1
            except InputError as error:
                reasons.append(printable(error.reason))  # as a message shows it
    finally:
        _restore(root)
    assert all(line.isprintable() for line in said.getvalue().split("\n"))
    return accepted, reasons


def _sweep(store: Any, folder: Path, page: bool) -> None:
    from rich.console import Console

    from dashboards.pages.report import write_report
    from dashboards.recorded.runs import read_sweep
    from dashboards.tables.papers import shown_rows
    from dashboards.tables.terminal import print_comparison
    from platform.tracking.store import reaching

    with reaching(store, "mend it"):
        view = read_sweep(store.client, "pdnet")
    rows = shown_rows("pdnet")
    print_comparison(view, rows, Console(file=None, width=150, color_system=None))
    if page:
        write_report(view, rows, folder / "page.html")


def _models(store: Any, folder: Path, page: bool) -> None:
    from rich.console import Console

    from platform.models import print_models
    from platform.tracking.store import reaching

    with reaching(store, "mend it"):
        print_models(store.client, Console(width=150, color_system=None))


def _fetched(store: Any, folder: Path, page: bool) -> None:
    from platform.tracking.registry import fetch

    fetch(store, "pdnet-stage2@champion", folder / "storage")
    kept = folder / "storage" / "models"
    assert all(path.is_relative_to(kept) for path in folder.rglob("*.pt"))


def _apply(root: Path, damage: dict[str, Any]) -> None:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.execute("pragma ignore_check_constraints = on")
        for table, place, column, value in damage["rows"]:
            (count,) = database.execute(f"select count(*) from {table}").fetchone()
            row = f"rowid = (select rowid from {table} limit 1 offset {int(place * count)})"
            database.execute(f"update or ignore {table} set {column} = ? where {row}", [value])
        database.commit()
    if damage["artifact"] is not None:
        name, content = damage["artifact"]
        (root / "files" / "best" / name).write_bytes(content.encode("latin-1"))


def _restore(root: Path) -> None:
    shutil.copyfile(root / "pristine.db", root / "mlflow.db")
    for name, content in ARTIFACTS.items():
        (root / "files" / "best" / name).write_bytes(content)


@cache
def _store() -> tuple[Path, Any]:
    """A folder with a store of one sweep and one model, and the store; once a process."""
    root = Path(tempfile.mkdtemp(prefix="lesion-fuzz-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    # No connection is kept, which would hold pages of an earlier input.
    with patch.dict(os.environ, MLFLOW_SQLALCHEMYSTORE_POOLCLASS="NullPool"):
        store = _logged(root)
    shutil.copyfile(root / "mlflow.db", root / "pristine.db")
    _restore(root)
    return root, store


def _logged(root: Path) -> Any:
    from mlflow import MlflowClient

    from platform.tracking.runs import log_metrics
    from platform.tracking.store import Store

    uri = f"sqlite:///{root / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("pdnet", (root / "artifacts").as_uri())
    store = Store(uri=uri, experiment="pdnet", experiment_id=experiment)

    def run(kind: str, params: dict[str, str], tags: dict[str, str]) -> str:
        made = client.create_run(experiment, 1, {"lesion.kind": kind, **tags}, run_name=kind)
        for name, value in params.items():
            client.log_param(made.info.run_id, name, value)
        return str(made.info.run_id)

    parent = run("sweep", {"epochs": "2"}, {
        "lesion.sweep": "night", "lesion.data": "discs, 4 slices", "lesion.best_trial": "t1",
        "lesion.truth": "human masks", "lesion.merit": "dice", "lesion.better": "higher",
    })  # fmt: skip
    log_metrics(store, parent, {"dice": 0.7, "dice_std": 0.1, "test_n": 2, "recall": 0.8})
    below = {"mlflow.parentRunId": parent}
    for number in range(2):
        trial = run("trial", {"search.rate": f"0.{number + 1}"}, {
            "lesion.trial_id": f"t{number}", "lesion.state": "finished", **below,
        })  # fmt: skip
        for step in (1, 2):
            log_metrics(store, trial, {"val_dice": step / 4, "train_loss": 1 / step}, step)
    log_metrics(store, run("reference", {}, {"lesion.method": "disc", **below}), {"dice": 0.5})
    client.create_registered_model("pdnet-stage2")
    for dice in ("0.5", "0.6"):
        client.create_model_version(
            "pdnet-stage2", f"runs:/{parent}/best", parent,
            tags={"lesion.val_dice": dice, "lesion.preset": "tiny", "lesion.epochs": "2"},
        )  # fmt: skip
    client.set_registered_model_alias("pdnet-stage2", "champion", "2")
    (root / "files" / "best").mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.execute("update runs set artifact_uri = ?", [(root / "files").as_uri()])
        database.commit()
    for name in ("best.pt", "run.json"):
        (root / "files" / "best" / name).write_text("{}")
    return store
