"""The papers' rows as MLflow runs, so that the compare page shows ours beside theirs."""

import time
from collections import defaultdict

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from dashboards.recorded.numbers import count_of
from dashboards.recorded.runs import runs_of_kind
from dashboards.tables.papers import WHOLE, PaperRow, known_rows

KEY = "lesion.baseline_key"
ABANDONED_MS = 10 * 60 * 1000  # a baseline takes milliseconds to log


def log_baselines(client: MlflowClient, experiment_id: str, paper: str) -> int:
    """Log every row of the paper's tables that the experiment lacks; how many were new.

    Of a system without a paper there is nothing to log.

    Safe to call again, and by several processes at once: a row counts as logged when its run is
    finished, and whoever writes looks again afterwards and deletes all but the oldest run of a row.
    A run that a killed process left unfinished is deleted after ten minutes.
    """
    rows = known_rows(paper)
    logged = set(_finished(client, experiment_id))
    new = [row for row in rows if row.key not in logged]
    for row in new:
        _log(client, experiment_id, row)
    if new:
        _tidy(client, experiment_id)
    return len(new)


def _log(client: MlflowClient, experiment_id: str, row: PaperRow) -> None:
    part = () if row.subgroup in WHOLE else (row.subgroup,)
    tags = {
        "lesion.kind": "baseline",
        "lesion.paper": row.paper,
        "lesion.table": row.table,
        "lesion.dataset": row.dataset,
        "lesion.subgroup": row.subgroup,
        "lesion.method": row.method,
        KEY: row.key,
    }
    name = " · ".join((f"paper: {row.method}", row.dataset, *part))
    run_id = client.create_run(experiment_id, tags=tags, run_name=name).info.run_id
    values = {name: mean for name, (mean, _) in row.metrics.items()}
    values |= {f"{name}_std": std for name, (_, std) in row.metrics.items() if std is not None}
    now = _now()
    client.log_batch(run_id, metrics=[Metric(name, x, now, 0) for name, x in values.items()])
    client.set_terminated(run_id)


def _tidy(client: MlflowClient, experiment_id: str) -> None:
    for runs in _finished(client, experiment_id).values():
        # Every process orders the same way, so no two of them delete each other's run.
        oldest_first = sorted(runs, key=_age)
        for run in oldest_first[1:]:
            client.delete_run(run.info.run_id)
    for run in runs_of_kind(client, experiment_id, "baseline"):
        unfinished = run.info.status != "FINISHED"
        if unfinished and _now() - _age(run)[0] > ABANDONED_MS:
            client.delete_run(run.info.run_id)


def _finished(client: MlflowClient, experiment_id: str) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in runs_of_kind(client, experiment_id, "baseline"):
        if run.info.status == "FINISHED" and KEY in run.data.tags:
            runs[run.data.tags[KEY]].append(run)
    return runs


def _age(run: Run) -> tuple[int, str]:
    return count_of(run.info.start_time) or 0, run.info.run_id


def _now() -> int:
    return int(time.time() * 1000)
