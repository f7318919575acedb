"""What a sweep's or a training's run keeps of its best model: lesions, configuration, pictures."""

import struct
from collections.abc import Mapping
from itertools import islice
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.pages.view import LesionResult
from dashboards.recorded.artifacts import Files, files_of
from dashboards.recorded.numbers import count_of, number_of
from dashboards.tables.metrics import metric_of
from lesions.errors import InputError, shown
from lesions.metrics.merit import Merit
from lesions.readers.bounded import parse_json
from lesions.readers.png import LARGEST_SIDE

FOLDER = "best"
LESIONS, CONFIG = (f"{FOLDER}/{name}" for name in ("lesions.json", "config.json"))
OVERLAYS, ATTENTION = "overlays", "attention"
MOST_JSON, MOST_PICTURE = 32 << 20, 8 << 20  # bytes
MOST_PICTURES = 100
PUT_BACK = "put the store's folder artifacts/ back, beside its mlflow.db"
DEEPEST = 20  # objects in objects of a configuration
MOST_METRICS = 50  # of a lesion
ABOUT = ("row", "long_axis_mm", "short_axis_mm")  # numbers of a record that are no metrics

Evidence = tuple[list[LesionResult], Mapping[str, Any], dict[str, dict[str, bytes]]]


def read_evidence(files: Files, merit: Merit) -> Evidence:
    """The lesions, the best first, the configuration and the pictures; empty where none is there.

    Pictures are OVERLAYS and, of a system with attention between lesions, ATTENTION.

    Args:
        files: the run's.
        merit: what ranks the lesions; one without it is last.

    Raises:
        InputError: a file is damaged.
    """
    logged = files.names(FOLDER)
    records = _records(files) if "lesions.json" in logged else []
    lesions = [_lesion(one, merit) for one in records]
    lesions.sort(key=lambda one: (merit.rank(one.metrics.get(merit.name)), one.file, one.row))
    config = _config(files) if "config.json" in logged else {}
    # Not the whole folder: the best checkpoint lies beside these.
    pictures = {
        kind: _pictures(files, kind) if kind in logged else {} for kind in (OVERLAYS, ATTENTION)
    }
    return lesions, config, pictures


def lesion_records(client: MlflowClient, run_id: str) -> list[dict[str, Any]]:
    """A run's test lesions, one record each as they were logged; empty where none were.

    Raises:
        InputError: they are gone, as those of a store that was moved without its `artifacts/`.
    """
    files = files_of(client, run_id)
    if "lesions.json" in files.names(FOLDER):
        return _records(files)
    if place := lost(client.get_run(run_id), files):
        raise InputError(
            "the files of a run that was measured are gone", file=place, remedy=PUT_BACK
        )
    return []


def lost(run: Run, files: Files) -> str:
    """Where the files of a run without lesions should be; "" where it was not measured whole."""
    measured = count_of(run.data.metrics.get("test_n"))
    return files.place if measured and run.info.status == "FINISHED" else ""


def _records(files: Files) -> list[dict[str, Any]]:
    records = parse_json(files.read(LESIONS, MOST_JSON), list, "lesions.json")
    for record in records:
        if not isinstance(record, dict):
            raise InputError("a lesion of the artifact is no object", file="lesions.json")
    return records


def _config(files: Files) -> dict[str, Any]:
    config = parse_json(files.read(CONFIG, MOST_JSON), dict, "config.json")
    level: list[Any] = [config]
    for _ in range(DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list)
                 for inner in (one.values() if isinstance(one, dict) else one)]  # fmt: skip
    if level:
        raise InputError(f"is nested more than {DEEPEST} deep", file="config.json")
    return config


def _pictures(files: Files, kind: str) -> dict[str, bytes]:
    folder = f"{FOLDER}/{kind}"
    names = sorted(name for name in files.names(folder) if name.endswith(".png"))
    found = {name: files.read(f"{folder}/{name}", MOST_PICTURE) for name in names[:MOST_PICTURES]}
    return {name: picture for name, picture in found.items() if _is_small_png(picture)}


def _is_small_png(picture: bytes) -> bool:
    """A page embeds it, and a browser decodes whatever size it says it has."""
    if len(picture) < 24 or picture[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    return bool(max(struct.unpack(">II", picture[16:24])) <= LARGEST_SIDE)


def _lesion(record: Mapping[str, Any], merit: Merit) -> LesionResult:
    try:
        metrics = _metrics(record)
        if metric_of(merit.name).fraction and not 0 <= metrics.get(merit.name, -1) <= 1:
            raise ValueError(f"{merit.name} is not a number from 0 to 1")
        return LesionResult(
            file=str(record["file"]),
            row=int(record["row"]),
            patient=str(record["patient"]),
            lesion_type=str(record["lesion_type"]),
            metrics=metrics,
            long_axis_mm=number_of(record.get("long_axis_mm")),
            short_axis_mm=number_of(record.get("short_axis_mm")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"a lesion of the artifact: {shown(repr(error))}", file="lesions.json"
        ) from None


def _metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among a record's values; texts and what is beyond a number are none."""
    found = (
        (name, number) for name, value in record.items()
        if name not in ABOUT and isinstance(value, int | float) and not isinstance(value, bool)
        and (number := number_of(value)) is not None
    )  # fmt: skip
    return dict(islice(found, MOST_METRICS))
