"""List the registered models, and say which one is the champion."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from rich.console import Console

from dashboards.terminal import say, text_table
from lesions import InputError
from platform.cli import Outputs, parse, run
from platform.registry import CHAMPION, connect, find_version, split, versions_of
from platform.storage import default_storage, writable
from platform.tracking import Store, reaching
from trainables.checkpoint import BEST, RUN, read_run, read_score
from trainables.configs import flatten

ARTIFACTS = "best"
DICE, DATA, JUDGED_BY, VERDICT = (
    "lesion.val_dice", "lesion.data_fingerprint", "lesion.judged_by", "lesion.verdict",
)  # fmt: skip
OF_THE_RUN = ("lesion.system", "lesion.preset", "lesion.data", DATA, "lesion.truth",
              "lesion.git_commit")  # fmt: skip


def log_checkpoint(store: Store, run_id: str, checkpoint: Path) -> None:
    """The best model, its run.json and its config, as the run's artifacts `best/`."""
    config = flatten(read_run(checkpoint)[1])
    store.client.log_text(run_id, json.dumps(config, indent=1), f"{ARTIFACTS}/config.json")
    for name in (BEST, RUN):
        store.client.log_artifact(run_id, str(checkpoint / name), ARTIFACTS)


def register(store: Store, run_id: str, checkpoint: Path, name: str | None) -> None:
    """Register a run's best model, as `log_checkpoint` has logged it; a run has one version.

    The first version of a model is its champion; a later one becomes it when its validation Dice
    on the same data is higher.

    Args:
        store: the run's.
        run_id: gives the tags of the data and the code.
        checkpoint: gives the config and the validation Dice.
        name: of the model, to which -stage1 or -stage2 is added where the system has stages; None
            is the system's, and "" registers nothing.
    """
    if name == "":
        return
    system, config = read_run(checkpoint)
    stage = getattr(config, "stage", None)
    model = (name or system.name) + ("" if stage is None else f"-stage{stage}")
    client = store.client
    _create_model(client, model)
    of_run = [one for one in versions_of(client, model) if one.run_id == run_id]
    if of_run:
        version = of_run[0]
    else:
        tags = client.get_run(run_id).data.tags
        kept = {tag: tags[tag] for tag in OF_THE_RUN if tag in tags}
        version = client.create_model_version(
            model, f"runs:/{run_id}/{ARTIFACTS}", run_id,
            tags={**kept, **_described(config, checkpoint, tags)},
        )  # fmt: skip
    if VERDICT not in version.tags:  # else it was judged when it was registered
        _judge(client, version)


def _create_model(client: MlflowClient, model: str) -> None:
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _described(config: Any, checkpoint: Path, run_tags: Mapping[str, str]) -> dict[str, str]:
    """The version's own tags; the registry knows no params, so the config is tags too."""
    epoch, dice = read_score(checkpoint)
    # Pseudo masks stand in where human ones are missing: then Dice depends on which they are.
    human = run_tags.get("lesion.truth") == "human masks"
    described = {
        "lesion.stage": str(getattr(config, "stage", "")),
        "lesion.epochs": str(config.training.epochs),
        "lesion.best_epoch": str(epoch),
        DICE: repr(dice),
        JUDGED_BY: "human masks" if human else f"human masks, else {config.pseudo_mask}",
    }
    return described | {f"config.{name}": str(value) for name, value in flatten(config).items()}


def takes_over(tags: Mapping[str, str], champions: Mapping[str, str]) -> bool | None:
    """Whether a version is better than the champion, by the tags of both.

    Returns:
        None where they cannot be compared: other data, or data that one of them does not tell.
    """
    same = all(tags.get(name) == champions.get(name) for name in (DATA, JUDGED_BY))
    if not same or DATA not in tags or DICE not in champions:
        return None
    return float(tags[DICE]) > float(champions[DICE])


def _judge(client: MlflowClient, version: Any) -> None:
    """Make the version the champion where it is to be, and say so."""
    model, number = version.name, str(version.version)
    spec = f"{model}:{number}"
    aliases = client.get_registered_model(model).aliases
    better: bool | None
    if CHAMPION not in aliases:
        verdict, better = "the champion: the first version", True
    elif (champion := str(aliases[CHAMPION])) == number:
        verdict, better = "the champion", True
    else:
        tags = client.get_model_version(model, champion).tags
        better = takes_over(version.tags, tags)
        scores = f"{float(version.tags[DICE]):.3f} against {_dice(tags)}"
        verdict = {
            True: f"the champion: better than {model}:{champion} in validation Dice, {scores}",
            False: f"not better than the champion {model}:{champion} in validation Dice, {scores}",
            None: f"other data than the champion {model}:{champion} had, which therefore stays "
            "(choose in MLflow, or: "
            f"python -m platform.models --champion {spec})",
        }[better]
    if better:
        client.set_registered_model_alias(model, CHAMPION, number)
    client.set_model_version_tag(model, number, VERDICT, verdict)
    say(f"registered {spec}, {verdict}")


def _dice(tags: Mapping[str, str]) -> str:
    return f"{float(tags[DICE]):.3f}" if DICE in tags else "–"


def crown(client: MlflowClient, spec: str) -> None:
    """Make NAME:VERSION the champion; InputError where there is no such version."""
    version = find_version(client, spec)
    client.set_registered_model_alias(version.name, CHAMPION, str(version.version))
    say(f"{version.name}@{CHAMPION} is {version.name}:{version.version} now")


def print_models(client: MlflowClient, console: Console) -> None:
    """One line a version, the newest of each model first."""
    rows = []
    for model in client.search_registered_models(max_results=1000):
        for version in versions_of(client, model.name):
            aliases = [a for a, n in model.aliases.items() if str(n) == str(version.version)]
            data = version.tags.get("lesion.data", "").partition(",")[0]
            digest = version.tags.get(DATA, "")[:8]
            rows.append([
                f"{model.name}:{version.version}", ", ".join(aliases), _dice(version.tags),
                version.tags.get("lesion.preset", ""), version.tags.get("lesion.epochs", ""),
                f"{data} {digest}".strip(),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(version.creation_timestamp / 1000)),
            ])  # fmt: skip
    heading = ["Model", "Alias", "Val. Dice", "Preset", "Epochs", "Data", "Registered"]
    console.print(text_table("Registered models", heading, rows))


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
    store = connect(writable(options.storage or default_storage()))
    with reaching(store, "start it, or unset MLFLOW_TRACKING_URI to use a local file"):
        if options.champion is not None:
            crown(store.client, options.champion)
        print_models(store.client, Console())


if __name__ == "__main__":
    run(main)
