"""After the search: the best trial measured once on the test lesions, and recorded."""

from pathlib import Path
from typing import Any

from dashboards.tables.terminal import say
from lesions import InputError
from platform.tracking.results import record_references, record_test
from platform.tracking.runs import end_run, set_tags
from platform.tracking.store import Store
from platform.tuning.reports import is_whole
from platform.tuning.searching import Sweep
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
    record_test(store, parent, sweep.job, checkpoint, resources, sweep.pictures)
    record_references(store, parent, sweep.system, ray.get(references))
    end_run(store, parent, "finished")
    return checkpoint


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
