"""A sweep in full: what MLflow and Optuna hold afterwards, also of pruned and failed trials."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from dashboards.recorded.evidence import lesion_records
from dashboards.recorded.runs import runs_of_kind
from dashboards.tables.papers import paper_rows
from platform.tuning.spaces import first_trials
from search_spaces import SPACES
from tests.platform.agreement import check_agree, study_at
from tests.platform.conftest import QUICK, TINY, Cluster, command, open_to
from trainables.pdnet.config import tiny
from trainables.registry import SYSTEMS

pytestmark = pytest.mark.ray


def store(storage: Path) -> tuple[MlflowClient, str]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    return client, client.get_experiment_by_name("pdnet").experiment_id


def children(client: MlflowClient, experiment: str, parent: Run) -> list[Run]:
    trials = runs_of_kind(client, experiment, "trial")
    return [run for run in trials if run.data.tags["mlflow.parentRunId"] == parent.info.run_id]


@pytest.fixture(scope="module")
def storage(ray_cluster: Cluster, tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one sweep of two trials."""
    folder = tmp_path_factory.mktemp("sweep")
    assert command("sweep", "pdnet", "--storage", folder, "--data", tiny_set, "--name", "first",
                   "--trials", 2, "--config.training.epochs", 2, *TINY) == 0  # fmt: skip
    return folder


def test_mlflow_holds_one_parent_and_its_trials(storage: Path) -> None:
    client, experiment = store(storage)
    (parent,) = runs_of_kind(client, experiment, "sweep")
    trials = children(client, experiment, parent)
    assert [run.info.run_name for run in trials] == ["trial 0", "trial 1"]
    assert {run.info.status for run in (parent, *trials)} == {"FINISHED"}
    assert {run.data.tags["lesion.state"] for run in (parent, *trials)} == {"finished"}
    for run in trials:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")]
        assert steps == [1, 2]
    assert parent.data.tags["lesion.merit"] == "dice"
    assert parent.data.tags["lesion.better"] == "higher"
    assert parent.data.tags["lesion.part"] == "stage2"
    assert parent.data.tags["lesion.protocol"].startswith("Stage 2 alone: given are the slice, a")
    assert "training_iteration" not in trials[0].data.metrics
    assert {"seg_loss", "heatmap_loss", "val_vs", "phase"} <= set(trials[0].data.metrics)
    assert set(parent.data.tags) >= {
        "lesion.data_fingerprint", "lesion.git_commit", "lesion.seed", "lesion.resources",
    }  # fmt: skip
    assert parent.data.params["training.epochs"] == "2"
    best = {run.data.tags["lesion.trial_id"] for run in trials}
    assert parent.data.tags["lesion.best_trial"] in best


def test_the_first_trial_has_the_papers_values(storage: Path) -> None:
    client, experiment = store(storage)
    first, second = runs_of_kind(client, experiment, "trial")[:2]
    (paper,) = first_trials(SYSTEMS["pdnet"], tiny())
    assert list(paper.values()) == [0.01, 7.0, 1e-3]
    for name, value in paper.items():
        assert float(first.data.params[f"search.{name}"]) == value
        assert float(first.data.params[name]) == value
        assert float(second.data.params[name]) != value


def test_the_best_trials_evidence_is_kept(storage: Path) -> None:
    client, experiment = store(storage)
    (parent,) = runs_of_kind(client, experiment, "sweep")
    kept = {item.path for item in client.list_artifacts(parent.info.run_id, "best")}
    names = ("best.pt", "config.json", "lesions.json", "overlays", "run.json")
    assert kept == {f"best/{name}" for name in names}
    assert len(client.list_artifacts(parent.info.run_id, "best/overlays")) == 4
    metrics = parent.data.metrics
    assert (metrics["test_n"], metrics["trained_on_by_patient"]) == (4, 0)
    patients = {one["patient"] for one in lesion_records(client, parent.info.run_id)}
    assert metrics["test_patients"] == len(patients)
    assert parent.data.tags["lesion.trained_on"].startswith("No lesion's patient, nor its slice")
    assert {"dice", "dice_std", "long_axis_error"} <= set(parent.data.metrics)
    version = client.get_model_version_by_alias("pdnet-stage2", "champion")
    assert version.run_id == parent.info.run_id
    best = client.search_runs(
        [experiment], f"tags.`lesion.trial_id` = '{parent.data.tags['lesion.best_trial']}'"
    )[0]
    assert float(version.tags["lesion.val_dice"]) == best.data.metrics["best_val_dice"]
    assert int(float(version.tags["lesion.val_n"])) == 4
    assert float(version.tags["lesion.val_patients"]) == best.data.metrics["val_patients"]
    rate = "training.learning_rate"
    assert float(version.tags[f"config.{rate}"]) == float(best.data.params[rate])
    assert parent.data.params == best.data.params, "the winner's, beside its metrics"
    assert (storage / "reports" / "first.html").stat().st_size > 10_000
    assert check_agree(storage, "pdnet", "first") == {0: "finished", 1: "finished"}
    assert json.loads((storage / "sweeps" / "first" / "state.json").read_text()) == {
        "state": "finished"
    }


def test_nobody_else_may_read_it(storage: Path) -> None:
    """What the workers of a cluster with another umask wrote, too."""
    assert (storage / "sweeps" / "first").exists()
    assert open_to(0o077, *storage.iterdir()) == []


def test_a_moved_storage_is_compared_and_a_good_report_stays(
    storage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (storage / "reports" / "first.html").read_bytes()
    moved = storage.rename(tmp_path / "moved")
    try:
        assert command("compare", "pdnet", "--storage", moved) == 0
        assert (moved / "reports" / "first.html").read_bytes() == page
        assert not storage.exists()
        (moved / "artifacts").rename(tmp_path / "artifacts")
        assert command("compare", "pdnet", "--storage", moved) == 0
        said = capsys.readouterr().out
        assert f"gone from {(moved / 'artifacts').as_uri()}" in said
        assert "the report that there is stays as it was written before" in said
        assert (moved / "reports" / "first.html").read_bytes() == page
        (tmp_path / "artifacts").rename(moved / "artifacts")
    finally:
        moved.rename(storage)


def test_references_and_baselines_lie_beside(storage: Path) -> None:
    client, experiment = store(storage)
    references = runs_of_kind(client, experiment, "reference")
    methods = {run.data.tags["lesion.method"] for run in references}
    assert {"untrained network", "best centred disc"} <= methods
    assert len(references) == len(methods)
    assert all(run.data.metrics["test_n"] == 4 for run in references)
    assert len(runs_of_kind(client, experiment, "baseline")) == len(paper_rows("pdnet"))


def test_trials_ran_on_both_nodes(storage: Path, ray_cluster: Cluster) -> None:
    from ray.util.state import list_actors

    actors = list_actors(address=ray_cluster.dashboard, detail=True, limit=1000)
    trials = [actor for actor in actors if "ImplicitFunc" in actor.class_name]
    assert len({actor.node_id for actor in trials}) == 2


PAPERS, GOOD, STUCK, BROKEN = 1e-3, 3e-2, 1e-12, 1e30


def test_pruned_and_failed_trials_do_not_end_the_sweep(
    storage: Path,
    tiny_set: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rates that learn, that stand still, that blow the loss up."""
    rates = CategoricalDistribution((PAPERS, GOOD, STUCK, BROKEN))
    name = "training.learning_rate"
    space = SimpleNamespace(
        space=lambda config: {name: rates},
        first=lambda config: [{name: rate} for rate in (GOOD, STUCK, BROKEN)],
    )
    monkeypatch.setitem(SPACES, "pdnet", space)
    assert command("sweep", "pdnet", "--storage", storage, "--data", tiny_set, "--name", "hard",
                   "--trials", 4, "--concurrent", 1, "--grace", 3, "--no-pictures",
                   "--config.training.epochs", 4, *TINY, *QUICK) == 0  # fmt: skip
    client, experiment = store(storage)
    parent = runs_of_kind(client, experiment, "sweep")[1]
    states: dict[float, tuple[str, str]] = {}
    for run in children(client, experiment, parent):
        found = (run.info.status, run.data.tags["lesion.state"])
        states[float(run.data.params[name])] = found
    assert states == {
        PAPERS: ("FINISHED", "finished"), GOOD: ("FINISHED", "finished"),
        STUCK: ("FINISHED", "pruned"), BROKEN: ("FAILED", "failed"),
    }  # fmt: skip
    kept = {item.path for item in client.list_artifacts(parent.info.run_id, "best")}
    assert kept == {
        f"best/{name}" for name in ("best.pt", "config.json", "lesions.json", "run.json")
    }
    assert "data:image/png" in (storage / "reports" / "first.html").read_text()
    assert "data:image/png" not in (storage / "reports" / "hard.html").read_text()
    assert "the loss is not finite" in capsys.readouterr().out
    assert set(check_agree(storage, "pdnet", "hard").values()) == {"finished", "pruned", "failed"}
    (failed,) = (run for run in children(client, experiment, parent)
                 if run.data.tags["lesion.state"] == "failed")  # fmt: skip
    assert "the loss is not finite" in failed.data.tags["lesion.reason"]
    error = storage / "sweeps" / "hard" / "trials" / "0003" / "error.txt"
    assert "FloatingPointError" in error.read_text()
    assert told(storage / "sweeps" / "hard") == {
        PAPERS: TrialState.COMPLETE, GOOD: TrialState.COMPLETE, STUCK: TrialState.PRUNED,
        BROKEN: TrialState.FAIL,
    }  # fmt: skip
    assert len(runs_of_kind(client, experiment, "baseline")) == len(paper_rows("pdnet"))


def told(folder: Path) -> dict[float, TrialState]:
    """What the sweep's own study was told of each learning rate."""
    trials = study_at(folder).trials
    return {trial.params["training.learning_rate"]: trial.state for trial in trials}
