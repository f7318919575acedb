"""What a sweep's or a training's run keeps of its best model: lesions, configuration, pictures."""

import struct
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient

from dashboards.pages.view import LesionResult
from dashboards.recorded.artifacts import Files, files_of
from dashboards.recorded.numbers import number_of
from lesions.errors import InputError, shown
from lesions.readers.bounded import parse_json
from lesions.readers.png import LARGEST_SIDE

FOLDER = "best"
LESIONS, CONFIG, PICTURES = (f"{FOLDER}/{name}" for name in ("lesions.json", "config.json",
                                                            "overlays"))  # fmt: skip
MOST_JSON, MOST_PICTURE = 32 << 20, 8 << 20  # bytes
MOST_PICTURES = 100
DEEPEST = 20  # objects in objects of a configuration
MEASURED = (
    "precision", "recall", "long_axis_error", "short_axis_error", "long_axis_mm", "short_axis_mm",
)  # fmt: skip

Evidence = tuple[list[LesionResult], Mapping[str, Any], dict[str, bytes]]


def read_evidence(files: Files) -> Evidence:
    """The lesions, the best first, the configuration and the pictures; empty where none is there.

    Raises:
        InputError: a file is damaged.
    """
    logged = files.names(FOLDER)
    lesions = [_lesion(one) for one in _records(files)] if "lesions.json" in logged else []
    lesions.sort(key=lambda lesion: (-lesion.dice, lesion.file, lesion.row))
    config = _config(files) if "config.json" in logged else {}
    # Not the whole folder: the best checkpoint lies beside these.
    return lesions, config, _pictures(files) if "overlays" in logged else {}


def lesion_records(client: MlflowClient, run_id: str) -> list[dict[str, Any]]:
    """A run's test lesions, one record each as they were logged; empty where none were."""
    files = files_of(client, run_id)
    return _records(files) if "lesions.json" in files.names(FOLDER) else []


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


def _pictures(files: Files) -> dict[str, bytes]:
    names = sorted(name for name in files.names(PICTURES) if name.endswith(".png"))
    found = {name: files.read(f"{PICTURES}/{name}", MOST_PICTURE) for name in names[:MOST_PICTURES]}
    return {name: picture for name, picture in found.items() if _is_small_png(picture)}


def _is_small_png(picture: bytes) -> bool:
    """A page embeds it, and a browser decodes whatever size it says it has."""
    if len(picture) < 24 or picture[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    return bool(max(struct.unpack(">II", picture[16:24])) <= LARGEST_SIDE)


def _lesion(record: Mapping[str, Any]) -> LesionResult:
    try:
        dice = number_of(record["dice"])
        if dice is None or not 0 <= dice <= 1:
            raise ValueError("dice is not a number from 0 to 1")
        return LesionResult(
            file=str(record["file"]),
            row=int(record["row"]),
            patient=str(record["patient"]),
            lesion_type=str(record["lesion_type"]),
            dice=dice,
            **{name: number_of(record[name]) for name in MEASURED},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"a lesion of the artifact: {shown(repr(error))}", file="lesions.json"
        ) from None
