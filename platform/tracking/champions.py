"""Register a run's best model, and judge it against the champion."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from dashboards.recorded.artifacts import files_of
from dashboards.recorded.merits import merit_of
from dashboards.recorded.numbers import number_of
from dashboards.recorded.runs import words_of
from dashboards.tables.comparison import MISSING, with_interval
from dashboards.tables.metrics import metric_of
from dashboards.tables.terminal import say
from lesions.errors import shown
from lesions.metrics.merit import Merit
from lesions.readers.deeplesion import EXACT_MASKS
from platform.tracking.registry import CHAMPION, aliases_of, versions_of
from platform.tracking.runs import merit_tags
from platform.tracking.store import Store
from trainables.checkpoint import BEST, LAST, RUN, read_history, read_run, read_score
from trainables.configs import flatten
from trainables.recipe import total_epochs
from trainables.system import System

ARTIFACTS = "best"
DATA, JUDGED_BY, VERDICT = "lesion.data_fingerprint", "lesion.judged_by", "lesion.verdict"
OF_THE_RUN = ("lesion.system", "lesion.preset", "lesion.data", DATA, "lesion.truth",
              "lesion.git_commit")  # fmt: skip


def value_tag(merit: Merit) -> str:
    """Where a version has its value of it."""
    return f"lesion.{merit.validated}"


def log_checkpoint(store: Store, run_id: str, checkpoint: Path) -> None:
    """The best model, its run.json and its config, as the run's artifacts `best/`."""
    config = flatten(read_run(checkpoint)[1])
    files = files_of(store.client, run_id)
    files.write_text(json.dumps(config, indent=1), "config.json", ARTIFACTS)
    for name in (BEST, RUN):
        files.write(checkpoint / name, ARTIFACTS)


def register(store: Store, run_id: str, checkpoint: Path, name: str | None) -> None:
    """Register a run's best model, as `log_checkpoint` has logged it; a run has one version.

    The first version of a model is its champion; a later one becomes it when its validation figure
    on the same data is better.

    Args:
        store: the run's.
        run_id: gives the tags of the data and the code.
        checkpoint: gives the config and the validation figure.
        name: of the model, to which the part is added where the system has parts, as in
            NAME-stage1; None is the system's, and "" registers nothing.
    """
    if name == "":
        return
    system, config = read_run(checkpoint)
    part = system.part(config)
    model = (name or system.name) + (f"-{part}" if part else "")
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
            tags={**kept, **_described(system, config, checkpoint, tags)},
        )  # fmt: skip
    if VERDICT not in version.tags:  # else it was judged when it was registered
        _judge(client, version)


def _create_model(client: MlflowClient, model: str) -> None:
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _described(
    system: System, config: Any, checkpoint: Path, run_tags: Mapping[str, str]
) -> dict[str, str]:
    """The version's own tags; the registry knows no params, so the config is tags too."""
    epoch, value = read_score(checkpoint)
    # Pseudo masks stand in where human ones are missing: then a value depends on which they are.
    truth = run_tags.get("lesion.truth")
    history = read_history(checkpoint) if (checkpoint / LAST).exists() else []
    validated = next((metrics for metrics in history if metrics.get("epoch") == epoch), {})
    described = {
        "lesion.part": system.part(config),
        "lesion.epochs": str(total_epochs(system.recipe(config))),
        "lesion.best_epoch": str(epoch),
        **merit_tags(system.merit),
        value_tag(system.merit): repr(value),
        **{
            f"lesion.{name}": repr(validated[name])
            for name in (*system.merit.ends, "val_n", "val_patients")
            if name in validated
        },
        JUDGED_BY: (
            truth
            if truth in ("human masks", EXACT_MASKS)
            else f"human masks, else {config.pseudo_mask}"
        ),
    }
    return described | {f"config.{name}": str(value) for name, value in flatten(config).items()}


def value_of(tags: Mapping[str, str]) -> float | None:
    """The validation figure that a version's tags tell; None where it is none that can be."""
    merit = merit_of(tags)
    value = number_of(tags.get(value_tag(merit)))
    if value is None or (metric_of(merit.name).fraction and value > 1):
        return None
    return None if merit.better == "lower" and value < 0 else value


def takes_over(tags: Mapping[str, str], champions: Mapping[str, str]) -> bool | None:
    """Whether a version is better than the champion, by the tags of both.

    A value that is none never wins, and loses against any that is one.

    Returns:
        None where they cannot be compared: another figure of merit, or other data, or data that
        one of them does not tell.
    """
    ours, theirs = value_of(tags), value_of(champions)
    if ours is None:
        return False
    merit = merit_of(tags)
    if merit != merit_of(champions):
        return None
    if DATA not in tags or any(tags.get(name) != champions.get(name) for name in (DATA, JUDGED_BY)):
        return None
    return theirs is None or merit.beats(ours, theirs)


def _judge(client: MlflowClient, version: Any) -> None:
    """Make the version the champion where it is to be, and say so."""
    model, number = version.name, str(version.version)
    champion = aliases_of(client.get_registered_model(model)).get(CHAMPION)
    versions = {str(one.version): words_of(one.tags) for one in versions_of(client, model)}
    better: bool | None
    if champion == number:
        verdict, better = "the champion", True
    elif value_of(version.tags) is None:
        verdict, better = f"not the champion: {_said(version.tags)}", False
    elif champion is None:
        first = versions.keys() <= {number}
        verdict = f"the champion: {'the first version' if first else 'there was none'}"
        better = True
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
    """The verdict in words on a version that has a value."""
    ours, theirs = value_of(version.tags), value_of(champions)
    if better is None:
        other = "judged by another figure" if _differ(version.tags, champions) else "other data"
        return (
            f"{other} than the champion {champion} had, which therefore stays (choose in "
            f"MLflow, or: python -m platform.models --champion {version.name}:{version.version})"
        )
    if better and theirs is None:
        return f"the champion: {_said(champions, champion)}"
    words = metric_of(merit_of(version.tags).name).words
    scores = f"in validation {words}, {ours:.3f} against {theirs:.3f}"
    if better:
        return f"the champion: better than {champion} {scores}"
    return f"not better than the champion {champion} {scores}"


def _differ(tags: Mapping[str, str], champions: Mapping[str, str]) -> bool:
    return merit_of(tags) != merit_of(champions)


def _said(tags: Mapping[str, str], champion: str = "") -> str:
    """What stands where a validation figure should be: this version's, or a champion's that was."""
    whose = f"of {champion}, which was, is" if champion else "is"
    words = metric_of(merit_of(tags).name).words
    return f"the validation {words} {whose} {in_words(tags)}"


def in_words(tags: Mapping[str, str]) -> str:
    """The validation figure with its interval, or what is there where it is none."""
    merit, value = merit_of(tags), value_of(tags)
    if value is not None:
        low, high = (number_of(tags.get(f"lesion.{name}")) for name in merit.ends)
        return with_interval(value, None if low is None or high is None else (low, high))
    text = tags.get(value_tag(merit))
    return MISSING if text is None else f"{shown(text)!r}, no {metric_of(merit.name).words}"
