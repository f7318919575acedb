"""Register a run's best model, and judge it against the champion."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from dashboards.recorded.artifacts import files_of
from dashboards.recorded.numbers import number_of
from dashboards.recorded.runs import words_of
from dashboards.tables.comparison import MISSING
from dashboards.tables.terminal import say
from lesions.errors import shown
from platform.tracking.registry import CHAMPION, aliases_of, versions_of
from platform.tracking.store import Store
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
    files = files_of(store.client, run_id)
    files.write_text(json.dumps(config, indent=1), "config.json", ARTIFACTS)
    for name in (BEST, RUN):
        files.write(checkpoint / name, ARTIFACTS)


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


def dice_of(tags: Mapping[str, str]) -> float | None:
    """The validation Dice that a version's tags tell; None where it is no number or no Dice."""
    dice = number_of(tags.get(DICE))
    return dice if dice is not None and dice <= 1 else None


def takes_over(tags: Mapping[str, str], champions: Mapping[str, str]) -> bool | None:
    """Whether a version is better than the champion, by the tags of both.

    A Dice that is no number never wins, and loses against any that is one.

    Returns:
        None where they cannot be compared: other data, or data that one of them does not tell.
    """
    ours, theirs = dice_of(tags), dice_of(champions)
    if ours is None:
        return False
    if DATA not in tags or any(tags.get(name) != champions.get(name) for name in (DATA, JUDGED_BY)):
        return None
    return theirs is None or ours > theirs


def _judge(client: MlflowClient, version: Any) -> None:
    """Make the version the champion where it is to be, and say so."""
    model, number = version.name, str(version.version)
    champion = aliases_of(client.get_registered_model(model)).get(CHAMPION)
    versions = {str(one.version): words_of(one.tags) for one in versions_of(client, model)}
    better: bool | None
    if champion == number:
        verdict, better = "the champion", True
    elif dice_of(version.tags) is None:
        verdict, better = (
            f"not the champion: its validation Dice is {in_words(version.tags)}",
            False,
        )
    elif champion is None:
        first = versions.keys() <= {number}
        verdict, better = (
            f"the champion: {'the first version' if first else 'there was none'}",
            True,
        )
    elif champion not in versions:
        verdict, better = f"the champion: {model}:{champion}, which was, is gone", True
    else:
        better = takes_over(version.tags, versions[champion])
        verdict = _compared(version, f"{model}:{champion}", versions[champion], better)
    if better:
        client.set_registered_model_alias(model, CHAMPION, number)
    client.set_model_version_tag(model, number, VERDICT, verdict)
    say(f"registered {model}:{number}, {verdict}")


def _compared(
    version: Any, champion: str, champions: Mapping[str, str], better: bool | None
) -> str:
    """The verdict in words on a version that has a Dice."""
    scores = f"in validation Dice, {in_words(version.tags)} against {in_words(champions)}"
    if better is None:
        return (
            f"other data than the champion {champion} had, which therefore stays (choose in "
            f"MLflow, or: python -m platform.models --champion {version.name}:{version.version})"
        )
    if better and dice_of(champions) is None:
        return (
            f"the champion: the validation Dice of {champion}, which was, is {in_words(champions)}"
        )
    return (
        f"the champion: better than {champion} {scores}"
        if better
        else (f"not better than the champion {champion} {scores}")
    )


def in_words(tags: Mapping[str, str]) -> str:
    """In words: what is there, where it is no Dice."""
    if DICE not in tags:
        return MISSING
    dice = dice_of(tags)
    return f"{shown(tags[DICE])!r}, no Dice" if dice is None else f"{dice:.3f}"
