"""List the registered models, and say which one is the champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from rich.console import Console

from dashboards.recorded.merits import merit_of
from dashboards.recorded.numbers import count_of, time_of
from dashboards.recorded.runs import words_of
from dashboards.tables.comparison import MISSING, in_patients
from dashboards.tables.metrics import metric_of
from dashboards.tables.terminal import say, text_table
from lesions import InputError
from lesions.errors import shown
from platform.command_line.options import Outputs, parse, run
from platform.running.storage import default_storage, local
from platform.tracking.champions import DATA, in_words
from platform.tracking.registry import (
    CHAMPION,
    aliases_of,
    connect,
    find_version,
    models_of,
    split,
    versions_of,
)
from platform.tracking.store import reaching


def crown(client: MlflowClient, spec: str) -> None:
    """Make NAME:VERSION the champion; InputError where there is no such version."""
    version = find_version(client, spec)
    client.set_registered_model_alias(version.name, CHAMPION, str(version.version))
    say(f"{version.name}@{CHAMPION} is {version.name}:{version.version} now")


def print_models(client: MlflowClient, console: Console) -> None:
    """One line a version, the newest of each model first; then the aliases of none."""
    rows, gone = [], []
    for model in models_of(client):
        aliases, versions = aliases_of(model), versions_of(client, model.name)
        rows += [_row(version, aliases) for version in versions]
        there = {str(version.version) for version in versions}
        gone += [f"{model.name}@{alias} is version {number}, which is gone"
                 for alias, number in aliases.items() if number not in there]  # fmt: skip
    heading = ["Model", "Alias", "Validation", "Preset", "Epochs", "Data", "Registered"]
    console.print(text_table("Registered models", heading, rows))
    for line in gone:
        say(shown(line))


def _row(version: Any, aliases: Mapping[str, str]) -> list[str]:
    tags = {name: shown(text) for name, text in words_of(version.tags).items()}
    return [
        f"{version.name}:{version.version}",
        ", ".join(alias for alias, number in aliases.items() if number == str(version.version)),
        _figure(words_of(version.tags)),
        tags.get("lesion.preset", ""),
        tags.get("lesion.epochs", ""),
        f"{tags.get('lesion.data', '').partition(',')[0]} {tags.get(DATA, '')[:8]}".strip(),
        time_of(version.creation_timestamp, "%Y-%m-%d %H:%M", None) or MISSING,
    ]


def _figure(tags: Mapping[str, str]) -> str:
    found = in_words(tags)
    if found == MISSING:
        return found
    lesions, patients = (count_of(tags.get(f"lesion.val_{name}")) for name in ("n", "patients"))
    on = "" if lesions is None or patients is None else f", {lesions} of {in_patients(patients)}"
    return f"{metric_of(merit_of(tags).name).words} {found}{on}"


@dataclass(frozen=True, kw_only=True)
class ModelsOptions(Outputs):
    """List the registered models, or move the alias that `predict --model NAME@champion` takes.

    Attributes:
        champion: NAME:VERSION, as pdnet-stage2:3, to be the champion.
        storage: where the models were trained; `MLFLOW_TRACKING_URI` names a server instead.
    """

    champion: str | None = None
    storage: Path | None = None


def main() -> None:
    """Parse the command line, move the alias if asked to, and list."""
    options = parse(ModelsOptions, prog="python -m platform.models")
    if options.champion is not None and split(options.champion)[1] != ":":
        raise InputError(f"--champion is {options.champion!r}", remedy="say NAME:VERSION")
    store = connect(local(options.storage or default_storage()).expanduser().absolute())
    with reaching(store, "start it, or unset MLFLOW_TRACKING_URI to use a local file"):
        if options.champion is not None:
            crown(store.client, options.champion)
        print_models(store.client, Console())


if __name__ == "__main__":
    run(main)
