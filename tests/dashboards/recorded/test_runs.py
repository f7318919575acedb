"""Reading a sweep back from a real MLflow store."""

import io
import json
import math
import os
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from rich.console import Console

from dashboards.pages.report import render
from dashboards.pages.view import SweepView, overlay_name
from dashboards.recorded.runs import read_sweep
from dashboards.tables.comparison import comparison
from dashboards.tables.papers import shown_rows
from dashboards.tables.terminal import print_comparison
from lesions.errors import InputError
from lesions.metrics.merit import DICE
from lesions.names import inside
from tests.dashboards.conftest import DATA, REFERENCES, STATES, child, log_parent, log_trial

GOOD = {
    "file": "000001_01_01_109.png", "row": 1, "patient": "1", "lesion_type": "lung",
    "precision": 0.5, "recall": 0.5, "dice": 0.5, "long_axis_error": None,
    "short_axis_error": math.nan, "long_axis_mm": 12.0, "short_axis_mm": 8.0,
}  # fmt: skip


@pytest.fixture
def fresh(client: MlflowClient, tmp_path: Path) -> str:
    """A new experiment's name."""
    client.create_experiment(tmp_path.name, artifact_location=tmp_path.as_uri())
    return tmp_path.name


def start(client: MlflowClient, name: str, sweep: str = "night") -> tuple[str, str]:
    """An empty sweep; the ids of experiment and run."""
    experiment = client.get_experiment_by_name(name).experiment_id
    return experiment, log_parent(client, experiment, sweep, {"lesion.data": DATA}, started=5)


def test_the_parents_facts(view: SweepView) -> None:
    assert (view.name, view.system, view.data, view.status) == (
        "evening", "pdnet", DATA, "FINISHED",
    )  # fmt: skip
    assert view.tags["data_fingerprint"] == "sha256:6f1c2e0a9b"
    assert view.config == {"model": {"width": 32}, "loss": {"weight": 0.01}}
    assert view.test_n == 7
    mean = sum(lesion.metrics["dice"] for lesion in view.lesions) / 7
    assert view.test["dice"] == pytest.approx(mean)


def test_trials_are_numbered_as_they_started(view: SweepView) -> None:
    assert [trial.number for trial in view.trials] == list(range(8))
    assert [trial.trial_id for trial in view.trials] == [f"trial_{i}" for i in range(8)]
    assert [trial.state for trial in view.trials] == STATES
    assert view.best is view.trials[4]
    assert view.trials[4].searched["learning_rate"] == str(10**-3.0)


def test_histories(view: SweepView) -> None:
    trial = view.trials[1]
    assert [epoch for epoch, _ in trial.history["val_dice"]] == [1, 2, 3]
    assert trial.epochs == 3
    assert trial.best_value(DICE) == pytest.approx((0.84 - 0.15) * (1 - math.exp(-1)))


def test_references_and_lesions(view: SweepView) -> None:
    assert {r.method: r.metrics["dice"] for r in view.references} == {
        method: dice for method, (dice, _) in REFERENCES.items()
    }
    dice = [lesion.metrics["dice"] for lesion in view.lesions]
    assert dice == sorted(dice, reverse=True)


def test_every_lesion_finds_its_picture(view: SweepView) -> None:
    pictures = [view.overlay_of(rank) for rank in range(1, 8)]
    assert pictures == [
        view.overlays[overlay_name(rank, lesion.file)]
        for rank, lesion in enumerate(view.lesions, start=1)
    ]
    assert all(picture is not None and picture[:4] == b"\x89PNG" for picture in pictures)


def test_the_newest_sweep_is_the_default(client: MlflowClient, experiment: str) -> None:
    assert read_sweep(client, "pdnet").name == "evening"
    morning = read_sweep(client, "pdnet", "morning")
    assert (morning.trials, morning.references, morning.lesions) == ([], [], [])
    assert (morning.best, morning.test_n, morning.ended) == (None, None, None)


def test_an_unknown_name_lists_the_sweeps(client: MlflowClient, experiment: str) -> None:
    with pytest.raises(ValueError, match="named 'noon'; there are: evening, morning"):
        read_sweep(client, "pdnet", "noon")


def test_nothing_recorded_says_what_to_run(client: MlflowClient, fresh: str) -> None:
    for name in ("absent", fresh):
        with pytest.raises(InputError, match=f"no sweep of {name} .*platform.sweep {name}"):
            read_sweep(client, name)


def test_a_name_with_a_quote_is_no_query(client: MlflowClient, fresh: str) -> None:
    start(client, fresh, "it's `mine` ; --")
    assert read_sweep(client, fresh, "it's `mine` ; --").name == "it's `mine` ; --"


def test_a_resumed_trial_keeps_the_later_report(client: MlflowClient, fresh: str) -> None:
    experiment, parent = start(client, fresh)
    run = child(client, experiment, parent, {"lesion.kind": "trial", "lesion.trial_id": "a"})
    reports = [(1, 0.1, 10), (2, 0.9, 20), (2, 0.2, 30), (3, math.nan, 40)]
    client.log_batch(run, metrics=[Metric("val_dice", x, t, step) for step, x, t in reports])
    (trial,) = read_sweep(client, fresh).trials
    assert trial.history["val_dice"][:2] == [(1, 0.1), (2, 0.2)]
    assert trial.best_value(DICE) == 0.2
    assert trial.state == "running"


def test_the_best_value_is_the_last_phases(client: MlflowClient, fresh: str) -> None:
    """Its best model is what is kept, whatever a phase before it had."""
    experiment, parent = start(client, fresh)
    run = child(client, experiment, parent, {"lesion.kind": "trial", "lesion.trial_id": "a"})
    for step, (value, best) in enumerate([(0.9, 0.9), (0.3, 0.3), (0.2, 0.3)], start=1):
        client.log_batch(run, metrics=[Metric("val_dice", value, step, step),
                                       Metric("best_val_dice", best, step, step)])  # fmt: skip
    assert read_sweep(client, fresh).trials[0].best_value(DICE) == 0.3


def test_only_this_sweeps_children_count(client: MlflowClient, fresh: str) -> None:
    experiment, parent = start(client, fresh)
    log_trial(client, experiment, parent, 0, "finished")
    log_trial(client, experiment, start(client, fresh, "other")[1], 1, "finished")
    assert len(read_sweep(client, fresh, "night").trials) == 1


@pytest.mark.parametrize("page", [1, 3, 8])
def test_more_runs_than_one_page(
    client: MlflowClient, view: SweepView, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("dashboards.recorded.runs.PAGE", page)
    assert read_sweep(client, "pdnet", "evening") == view


def test_nothing_to_measure_is_none(client: MlflowClient, fresh: str) -> None:
    _, parent = start(client, fresh)
    client.log_dict(parent, [GOOD], "best/lesions.json")
    (lesion,) = read_sweep(client, fresh).lesions
    assert lesion.metrics == {"precision": 0.5, "recall": 0.5, "dice": 0.5}
    assert (lesion.long_axis_mm, lesion.short_axis_mm) == (12, 8)
    assert read_sweep(client, fresh).overlay_of(1) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no JSON"),
        ("{}", "no JSON of a list"),
        ('["a"]', "a lesion of the artifact"),
        ('[{"dice": 0.5}]', "a lesion of the artifact: KeyError"),
        (json.dumps([{**GOOD, "dice": math.nan}]), "dice is not a number"),
        (json.dumps([{**GOOD, "dice": 1e308}]), "dice is not a number from 0 to 1"),
        (json.dumps([{**GOOD, "row": math.inf}]), "a lesion of the artifact: OverflowError"),
        (json.dumps([{**GOOD, "row": "9" * 9000}]), "a lesion of the artifact: ValueError"),
        ("[" * 100_000, "no JSON"),
        ("null", "no JSON of a list"),
    ],
)
def test_a_broken_artifact_is_named(
    client: MlflowClient, fresh: str, content: str, reason: str
) -> None:
    _, parent = start(client, fresh)
    client.log_text(parent, content, "best/lesions.json")
    with pytest.raises(InputError, match=rf"lesions.json: .*{reason}"):
        read_sweep(client, fresh)


def test_a_damaged_configuration_is_named(client: MlflowClient, fresh: str) -> None:
    _, parent = start(client, fresh)
    for content in ('{"a": ' * 900 + "1" + "}" * 900, "[]", "{", '"a"'):
        client.log_text(parent, content, "best/config.json")
        with pytest.raises(InputError, match=r"config.json: is (nested|no JSON)"):
            read_sweep(client, fresh)


def test_a_picture_that_is_none_is_left_out(client: MlflowClient, fresh: str) -> None:
    _, parent = start(client, fresh)
    good = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (384).to_bytes(4, "big") * 2
    huge = good[:16] + (60_000).to_bytes(4, "big") * 2
    for name, content in (("001_a.png", good), ("002_b.png", huge), ("003_c.png", b"<html>")):
        client.log_text(parent, content.decode("latin-1"), f"best/overlays/{name}")
        path = Path(client.get_run(parent).info.artifact_uri.removeprefix("file://"))
        (path / "best" / "overlays" / name).write_bytes(content)
    assert read_sweep(client, fresh).overlays == {"001_a.png": good}


def test_special_files_among_the_artifacts_are_named(client: MlflowClient, fresh: str) -> None:
    _, parent = start(client, fresh)
    client.log_text(parent, "[]", "best/lesions.json")
    path = Path(client.get_run(parent).info.artifact_uri.removeprefix("file://"), "best")
    (path / "lesions.json").unlink()
    os.mkfifo(path / "lesions.json")
    with pytest.raises(InputError, match=r"lesions.json: not a regular file"):
        read_sweep(client, fresh)
    (path / "lesions.json").unlink()
    (path / "lesions.json").symlink_to("/dev/zero")
    with pytest.raises(MlflowException, match="outside the artifact directory"):
        read_sweep(client, fresh)


def test_numbers_that_are_none_are_left_out(client: MlflowClient, fresh: str) -> None:
    experiment, parent = start(client, fresh)
    client.log_batch(parent, metrics=[Metric("test_n", math.nan, 0, 0), Metric("dice", 0.5, 0, 0)])
    tags = {"lesion.kind": "reference", "lesion.method": "disc"}
    child(client, experiment, parent, tags, metrics={"test_n": -1.5, "dice": 1e300})
    run = child(client, experiment, parent, {"lesion.kind": "trial"},
                params={"search.rate": "oops\x1b[2J", "search.weight": "1e999"})  # fmt: skip
    points = [(-3, 0.9), (1, 0.2), (2, math.inf), (2**62, 0.8), (3, 0.3)]
    client.log_batch(run, metrics=[Metric("val_dice", x, 0, step) for step, x in points])
    view = read_sweep(client, fresh)
    assert (view.test_n, view.trials[0].best_value(DICE)) == (None, 0.3)
    assert view.trials[0].history["val_dice"] == [(1, 0.2), (3, 0.3)]
    ours, reference = comparison(view, [])
    assert (ours.lesions, reference.lesions, reference.values) == (None, None, {})
    page, text = render(view, shown_rows("pdnet")), io.StringIO()
    print_comparison(view, shown_rows("pdnet"), Console(file=text, width=200))
    assert "oops?[2J" in page
    assert "oops?[2J" in text.getvalue()
    assert "\x1b" not in page + text.getvalue()


def test_a_run_without_a_name_is_called_by_its_id(client: MlflowClient, fresh: str) -> None:
    _, parent = start(client, fresh, "")
    client.set_tag(parent, "mlflow.runName", "")
    assert read_sweep(client, fresh).name in (parent, client.get_run(parent).info.run_name)


@pytest.mark.parametrize(
    "file",
    ["/etc/passwd", "../../a.png", "..", "a\0b.png", "\x1b]0;x\x07.png", "ä" * 500, "",
     "a b (1).nii.gz", "\ud800", "C:\\x\\y.png"],
)  # fmt: skip
def test_a_pictures_name_is_a_files_name(view: SweepView, file: str, tmp_path: Path) -> None:
    path = inside(tmp_path, overlay_name(1, file))
    path.write_bytes(b"picture")
    lesion = type(view.lesions[0])(**{**vars(view.lesions[0]), "file": file})
    found = SweepView(**{**vars(view), "lesions": [lesion], "overlays": {path.name: b"picture"}})
    assert found.overlay_of(1) == b"picture"


def test_pictures_by_another_rank_are_found_by_file(view: SweepView) -> None:
    file = view.lesions[0].file
    renamed = {f"1_{file}": b"picture"}
    changed = SweepView(**{**vars(view), "overlays": renamed})
    assert changed.overlay_of(1) == b"picture"
    assert changed.overlay_of(2) is None
    padded = SweepView(**{**vars(view), "overlays": {f"0001_{file}": b"one"}})
    assert padded.overlay_of(1) == b"one"
    # Two lesions of one slice: only the rank tells whose picture it is.
    twice = SweepView(**{**vars(changed), "lesions": [view.lesions[0], *view.lesions]})
    assert (twice.overlay_of(1), twice.overlay_of(2)) == (b"picture", None)
