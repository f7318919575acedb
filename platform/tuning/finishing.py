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
from platform.tuning.reports import is_whole
from platform.tuning.searching import Sweep
from platform.tuning.spaces import space_of
from trainables.checkpoint import read_run
from trainables.configs import flatten
from trainables.workers import evaluate_references


def finish(
    store: Store, parent: str, sweep: Sweep, results: Any, resources: dict[str, float]
) -> Path:
    """Measure the best trial and the references on the test split; record all in MLflow.

    The test lesions play no part in the choice of the best trial.

    Returns:
        The best trial's checkpoint.

    Raises:
        InputError: no trial has a checkpoint.
    """
    import ray

    best = best_result(results, sweep)
    set_tags(store, parent, {"lesion.best_trial": best.metrics["trial_id"]})
    say("measuring the best trial on the test lesions")
    references = ray.remote(num_cpus=1)(evaluate_references).remote(sweep.job, "test")
    checkpoint = Path(best.checkpoint.path)
    record_winner(store, parent, checkpoint, space_of(sweep.system, sweep.config))
    record_test(store, parent, sweep.job, checkpoint, resources, sweep.pictures)
    record_references(store, parent, sweep.system, ray.get(references))
    end_run(store, parent, "finished")
    return checkpoint


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


def best_result(results: Any, sweep: Sweep) -> Any:
    """The result that the system's merit calls best: of the whole trials, if there are any."""
    kept = [result for result in results if result.checkpoint is not None]
    if not kept:
        errors = [str(error).strip().splitlines()[-1] for error in results.errors]
        raise InputError(
            f"every trial failed, the first with: {errors[0] if errors else 'no result'}",
            file=results.experiment_path,
            remedy="mend the cause and start a new sweep",
        )
    whole = [result for result in kept if is_whole(result.metrics, sweep.epochs)]
    merit = sweep.system.merit
    choose = max if merit.better == "higher" else min
    return choose(whole or kept, key=lambda result: result.metrics[merit.best])
