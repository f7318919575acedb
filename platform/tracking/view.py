"""MLflow as a view: a trial's whole run put there from what is known of it elsewhere.

Said again, it adds what is missing and nothing else, so that a store that was wiped, or another
one, is filled by one loop over a sweep's trials. Nothing is ever deleted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlflow.entities import Metric

from dashboards.recorded.trials import REASON
from platform.tracking.runs import (
    NAME,
    PARENT,
    end_run,
    find_run,
    log_params,
    new_run,
    points_of,
    set_tags,
)
from platform.tracking.store import Store
from trainables.trial_folder import AT

STEP = "epoch"  # what an epoch's numbers tell beside what was measured, and `AT`
MOST_METRICS = 1000  # MLflow takes no more in one call
RUNNING = "running"


def record_trial(
    store: Store,
    parent: str,
    trial_id: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    epochs: Sequence[Mapping[str, Any]],
    state: str,
    started: float | None = None,
    ended: float | None = None,
) -> str:
    """Have a trial's whole run in MLflow; one that was deleted there is made anew.

    Args:
        store: the experiment.
        parent: the sweep's run.
        trial_id: what its run is found by, below its parent.
        name: the run's, for people: "trial 3".
        params: what the run lacks of these is added; MLflow lets none be changed.
        tags: beside those by which it is found; `lesion.kind` is "trial" unless they say another.
        epochs: each one's numbers, "epoch" among them; "timestamp", in seconds since 1970, is when
            it ended. What MLflow has of an epoch stays as it is.
        state: "running", "finished", "pruned", "failed" or "interrupted".
        started, ended: in seconds since 1970; now where nobody said.

    Returns:
        The run's id.

    Raises:
        MlflowException: the store is away or refuses; what is recorded by then stays.
    """
    client = store.client
    key = {PARENT: parent, "lesion.trial_id": trial_id}
    wanted = {"lesion.kind": "trial", NAME: name, **tags, **key}
    run_id = find_run(store, key)
    if run_id is None:
        run_id = new_run(store, wanted, started)
    run = client.get_run(run_id)
    log_params(store, run_id, {k: x for k, x in params.items() if k not in run.data.params})
    if run.data.tags.get(REASON):  # what failed once may be finished by now
        wanted.setdefault(REASON, "")
    news = {k: text for k, text in wanted.items() if run.data.tags.get(k) != text}
    if news:
        set_tags(store, run_id, news)
    known = {point.step for point in client.get_metric_history(run_id, STEP)}
    for batch in _batches(epoch for epoch in epochs if int(epoch[STEP]) not in known):
        client.log_batch(run_id, metrics=batch)
    _settle(store, run_id, run, state, ended)
    return run_id


def _settle(store: Store, run_id: str, run: Any, state: str, ended: float | None) -> None:
    told, over = run.data.tags.get("lesion.state"), run.info.end_time is not None
    if state == RUNNING:
        if told != state:
            set_tags(store, run_id, {"lesion.state": state})
        if over:
            store.client.update_run(run_id, status="RUNNING")
    elif told != state or not over:
        end_run(store, run_id, state, ended)


def _batches(epochs: Iterable[Mapping[str, Any]]) -> Iterator[list[Metric]]:
    """Calls' worth of metrics; an epoch is never in two, so that its step is there whole or not."""
    batch: list[Metric] = []
    for epoch in epochs:
        metrics = _metrics(epoch)
        if batch and len(batch) + len(metrics) > MOST_METRICS:
            yield batch
            batch = []
        batch += metrics
    if batch:
        yield batch


def _metrics(epoch: Mapping[str, Any]) -> list[Metric]:
    numbers = {name: value for name, value in epoch.items() if name != AT}
    return points_of(numbers, int(epoch[STEP]), epoch.get(AT))
