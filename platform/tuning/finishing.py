"""After the search: the best trial measured once on the test lesions, and recorded."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dashboards.recorded.runs import SEARCH, words_of
from dashboards.tables.terminal import say
from lesions import InputError
from platform.tracking.results import record_references, record_test
from platform.tracking.runs import end_run, log_params, set_tags
from platform.tracking.store import Store
from platform.tuning.trials import Trial, Trials
from trainables.checkpoint import read_run
from trainables.configs import flatten
from trainables.workers import evaluate_references

MEASURED = "lesion.measured"  # which trial the run's figures on the test lesions are of


def finish(store: Store, parent: str, trials: Trials, resources: dict[str, float]) -> Path:
    """Measure the best trial and the references on the test split; record all in MLflow.

    The test lesions play no part in the choice of the best trial. One that was measured before is
    not measured again.

    Returns:
        The best trial's checkpoint.

    Raises:
        InputError: no trial has a checkpoint.
    """
    import ray

    sweep = trials.sweep
    best, checkpoint = best_of(trials)
    known = store.client.get_run(parent).data
    if known.tags.get(MEASURED) == _measured(best):
        say(f"trial {best.number} is the best, and was measured before")
        end_run(store, parent, "finished")
        return checkpoint
    set_tags(store, parent, {"lesion.best_trial": best.id})
    say(f"measuring the best trial, {best.number}, on the test lesions")
    references = ray.remote(num_cpus=1)(evaluate_references).remote(sweep.job, "test")
    record_winner(store, parent, checkpoint, sweep.distributions)
    record_test(store, parent, sweep.job, checkpoint, resources, sweep.pictures)
    record_references(store, parent, sweep.system, ray.get(references))
    set_tags(store, parent, {MEASURED: _measured(best)})
    end_run(store, parent, "finished")
    return checkpoint


def _measured(best: Trial) -> str:
    return f"{best.id} after {best.epochs} epochs"


def params_at_start(config: Any, searched: Collection[str]) -> dict[str, Any]:
    """A sweep's params before its winner is known: MLflow lets none be changed later."""
    return {name: value for name, value in flatten(config).items() if name not in searched}


def record_winner(store: Store, parent: str, checkpoint: Path, searched: Collection[str]) -> None:
    """Give the sweep's run the best trial's values as params, beside its metrics.

    A run that has other values already keeps them: one that a version before this began has all of
    the start's, and another trial may win when failed ones are tried again. That is said; the tag
    `lesion.best_params` and the params `search.NAME` of such a run tell the winner's.

    Args:
        store: the experiment.
        parent: the sweep's run.
        checkpoint: the best trial's.
        searched: the fields that the sweep varies.
    """
    config = flatten(read_run(checkpoint)[1])
    values = {name: config[name] for name in searched}
    wanted = config | {f"{SEARCH}{name}": value for name, value in values.items()}
    known = words_of(store.client.get_run(parent).data.params)
    log_params(store, parent, {name: x for name, x in wanted.items() if name not in known})
    stale = [name for name, x in wanted.items() if known.get(name, str(x)) != str(x)]
    tags = {"lesion.best_params": json.dumps(values)}
    if stale:
        tags["lesion.stale_params"] = " ".join(stale)
        say(f"MLflow cannot change params: {', '.join(stale)} of the sweep's own run stay as they "
            f"were recorded before; the winner's: {tags['lesion.best_params']}")  # fmt: skip
    set_tags(store, parent, tags)


def best_of(trials: Trials) -> tuple[Trial, Path]:
    """The trial that the system's merit calls best, and its checkpoint.

    A whole trial goes before one that was stopped early, and one that keeps every constraint before
    one that does not; of trials with several objectives, too, the merit chooses. One whose
    checkpoint is damaged is passed over, and that is said.

    Raises:
        InputError: none has a checkpoint.
    """
    merit = trials.sweep.system.merit
    there = [trial for trial in trials.all.values() if trial.last]
    ranked = sorted(
        there,
        key=lambda one: (
            one.state != "finished", bool(one.breaks), merit.rank(one.last.get(merit.best))
        ),
    )  # fmt: skip
    if ranked and ranked[0].breaks:
        say("no trial keeps every constraint: the best of those that break one is measured")
    for trial in ranked:
        if (checkpoint := trial.folder.checkpoint()) is not None:
            return trial, checkpoint
        say(f"trial {trial.number} would be next as the best, but has no whole checkpoint in "
            f"{trial.folder.path}: it is passed over")  # fmt: skip
    reasons = [trial.reason for trial in trials.all.values() if trial.reason]
    raise InputError(
        f"every trial failed, the first with: {reasons[0] if reasons else 'no result'}",
        file=trials.place.folder,
        remedy="mend the cause and start a new sweep",
    )
