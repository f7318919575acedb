"""A paper's table trained and measured over Ray; a kill -9 in the middle repeats nothing."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.recorded.runs import runs_of_kind
from dashboards.tables.papers import paper_rows
from lesions import InputError
from platform.running.datasets import find_data
from platform.running.plans import read_plan
from platform.running.reproducing import Reproducing
from tests.platform.conftest import TINY, Cluster, command, started, wait_for_line, wait_until
from trainables.configs import edited
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny
from trainables.registry import find_variant, tables

SMALL = (*TINY, "--config.nnunet.features", "4")
PDNET = "base+PE+T2D+B2U+SA"
ROWS_3 = ["base", "base+PE", "base+PE+T2D", "base+PE+T2D+B2U", "PDNet (base+PE+T2D+B2U+SA)"]


def client_of(storage: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")


def runs_in(storage: Path, kind: str) -> list[Run]:
    client = client_of(storage)
    return runs_of_kind(client, client.get_experiment_by_name("pdnet").experiment_id, kind)


def parts_in(storage: Path) -> dict[str, Run]:
    """The trainings by name; each has one run."""
    found = runs_in(storage, "part")
    assert len({run.data.tags["lesion.train"] for run in found}) == len(found)
    return {run.data.tags["lesion.train"]: run for run in found}


def recorded(storage: Path, run: Run) -> Any:
    """When a run was, every point of its curve and of its test result."""
    client = client_of(storage)
    points = [
        (point.step, point.value, point.timestamp)
        for name in ("train_loss", "dice")
        for point in client.get_metric_history(run.info.run_id, name)
    ]
    return run.info.start_time, run.info.end_time, points


def measured_in(storage: Path) -> dict[str, Run]:
    """What was measured by several parts in order, or on another set, by name."""
    found = runs_in(storage, "measured")
    assert len({run.data.tags["lesion.measured"] for run in found}) == len(found)
    return {run.data.tags["lesion.measured"]: run for run in found}


def finished(storage: Path) -> dict[str, Run]:
    return {n: run for n, run in parts_in(storage).items() if run.info.status == "FINISHED"}


def killed(
    cluster: Cluster,
    storage: Path,
    data: Path,
    table: str,
    epochs: int,
    said: tuple[str, str],
    *more: object,
) -> dict[str, Any]:
    """Start a reproduction, kill it once it said both, in this order; what had finished by then."""
    log, (first, second) = storage.with_suffix(".log"), said
    words = (table, "--storage", storage, "--data", data, "--name", "again",
             "--config.training.epochs", epochs, *SMALL)  # fmt: skip
    with started(log, "reproduce", *words, address=cluster.address) as driver:
        wait_for_line(driver, log, first, 120)
        wait_until(lambda: second in log.read_text().partition(first)[2], 60, second)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    return {name: recorded(storage, run) for name, run in finished(storage).items()}


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)  # four starts of Ray Train, which are slow on a busy machine
def test_a_killed_reproduction_repeats_no_training(
    ray_cluster: Cluster,
    tiny_set: Path,
    prepared_sample: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    storage = tmp_path / "store"
    before = killed(ray_cluster, storage, tiny_set, "pdnet-1", 8, ("[3/3]", "epoch 2 "))
    assert list(before) == [f"{PDNET}-stage1", "nnunet-stage2"]

    more = ("--external", prepared_sample)
    assert command("reproduce", "pdnet-1", "--storage", storage, "--resume", "again", *more) == 0
    shown = capsys.readouterr().out
    after = finished(storage)
    assert list(after) == [f"{PDNET}-stage1", "nnunet-stage2", f"{PDNET}-stage2"]
    assert {name: recorded(storage, after[name]) for name in before} == before
    assert "[2/3] nnunet-stage2 is finished" in shown
    assert "epoch 1 " not in shown, "the last training went on from its checkpoint"
    assert "epoch 8 " in shown
    for run in after.values():
        steps = client_of(storage).get_metric_history(run.info.run_id, "train_loss")
        assert [point.step for point in steps] == [*range(1, 9)]
    assert after["nnunet-stage2"].data.params["network"] == "nnunet"

    (parent,) = runs_in(storage, "reproduce")
    assert parent.info.status == "FINISHED"
    rows = runs_in(storage, "row")
    found = {(r.data.tags["lesion.method"], r.data.tags["lesion.dataset"]): r for r in rows}
    assert len(rows) == len(found) == 4
    measured = measured_in(storage)
    for variant, method in (("nnunet", "nnUNet"), (PDNET, "PDNet")):
        for dataset, lesions, where in (
            ("deeplesion_test", 4, ""),
            ("external_test", 63, f" on {prepared_sample.name}"),
        ):
            ours = found[method, dataset].data.metrics
            both = measured[f"{PDNET}-stage1 + {variant}-stage2{where}"].data.metrics
            for metric in ("precision", "recall", "dice", "long_axis_error", "short_axis_error"):
                assert ours[metric] == pytest.approx(both[metric])
                assert ours[f"{metric}_std"] == pytest.approx(both[f"{metric}_std"])
            assert ours["test_n"] == both["test_n"] == lesions
    for run in (*rows, *after.values(), *measured.values()):
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert len(runs_in(storage, "baseline")) == len(paper_rows("pdnet"))
    assert f"{found['nnUNet', 'deeplesion_test'].data.metrics['dice']:.3f}" in shown
    assert "0.924" in shown
    assert "nnUNet, ours" in (storage / "reports" / "again-pdnet-1.html").read_text()

    assert command("reproduce", "pdnet-1", "--storage", storage, "--resume", "again") == 0
    again = capsys.readouterr().out.partition("PDNet, Table 1")[0]
    assert "epoch" not in again
    assert "measuring" not in again
    assert {n: recorded(storage, run) for n, run in finished(storage).items()} == {
        n: recorded(storage, run) for n, run in after.items()
    }
    assert {name: run.info.end_time for name, run in measured_in(storage).items()} == {
        name: run.info.end_time for name, run in measured.items()
    }
    # Table 2 has the same trainings, and its rows are categories of the external set.
    assert command("reproduce", "pdnet-2", "--storage", storage, "--resume", "again") == 0
    assert "epoch" not in capsys.readouterr().out.partition("PDNet, Table 2")[0]
    assert len(finished(storage)) == 3
    lung = [r for r in runs_in(storage, "row") if r.data.tags["lesion.subgroup"] == "lung"]
    assert [run.data.metrics["test_n"] for run in lung] == [8, 8]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # eleven starts of Ray Train
def test_table_3_has_five_rows_of_two_stages(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "store"
    before = killed(ray_cluster, storage, tiny_set, "pdnet-3", 1, ("[4/10]", "stage2"))
    assert list(before) == ["base-stage1", "base-stage2", "base+PE-stage1"]
    assert command("reproduce", "pdnet-3", "--storage", storage, "--resume", "again") == 0
    after = finished(storage)
    assert len(after) == 10
    assert {name: recorded(storage, after[name]) for name in before} == before
    rows = {run.data.tags["lesion.method"]: run.data.metrics for run in runs_in(storage, "row")}
    assert sorted(rows) == sorted(ROWS_3)
    for method, metrics in rows.items():
        variant = tables()["pdnet-3"][1].rows[method]["stage2"]
        stage1, stage2 = (after[f"{variant}-stage{n}"].data for n in (1, 2))
        both = measured_in(storage)[f"{variant}-stage1 + {variant}-stage2"].data.metrics
        assert (stage1.params["stage"], stage2.params["stage"]) == ("1", "2")
        assert metrics["dice_stage1"] == pytest.approx(stage1.metrics["dice"])
        assert metrics["dice_stage2"] == pytest.approx(both["dice"])
        assert metrics["long_axis_error"] == pytest.approx(both["long_axis_error"])
    shown = capsys.readouterr().out
    assert all(method in shown for method in ("base+PE, ours", "base+PE+T2D, ours"))
    assert "By Dice, stage 2, ours:" in " ".join(shown.split())


@pytest.fixture
def planned(tiny_set: Path, tmp_path: Path) -> Reproducing:
    return Reproducing(
        name="evening", folder=tmp_path / "evening", system=PDNetSystem(), preset="tiny",
        config=edited(tiny(), {"training.seed": 4}), data=find_data(tiny_set, tmp_path, "snakes"),
        table="pdnet-3", workers=1, cpus_per_worker=1,
    )  # fmt: skip


def test_a_plan_without_seeds_has_the_configs_own(planned: Reproducing) -> None:
    """Its trainings have the names that they always had: an old run resumes."""
    assert planned.every_seed == (4,)
    own, other = planned.trainings(4), planned.trainings(1)
    assert [one.name for one in own][:2] == ["base-stage1", "base-stage2"]
    assert [one.name for one in other][:2] == ["base-stage1-seed1", "base-stage2-seed1"]
    assert own[0].folder == planned.folder / "base-stage1"
    assert len(own) == len(other) == 10
    assert {one.config.training.seed for one in own} == {4}
    for mine, theirs in zip(own, other, strict=True):
        assert edited(mine.config, {"training.seed": 1}) == theirs.config


def test_a_plan_keeps_its_seeds_and_takes_more(planned: Reproducing) -> None:
    assert planned.seeds_with(()) == ()
    assert planned.seeds_with((1, 4)) == (4, 1), "what is trained comes first"
    more = replace(planned, seeds=(4, 1))
    more.write()
    assert read_plan(more.folder / more.file, Reproducing)["seeds"] == (4, 1)
    assert more.seeds_with((4, 1, 0)) == (4, 1, 0)
    with pytest.raises(InputError, match="evening is trained with the seed 4, which --seeds lacks"):
        more.seeds_with((1, 0))


READERS = ("overall", "vs_DL", "vs_R1", "vs_R2")  # who judges, in STN + SHN's Table 1


@pytest.mark.parametrize("name", tables())
def test_a_table_names_what_the_paper_and_the_system_have(name: str) -> None:
    system, table = tables()[name]
    rows = [row for row in paper_rows(system.paper) if row.table == table.number]
    ours = not rows and not table.number.isdecimal()
    assert ours or set(table.rows) <= {row.method for row in rows}
    for row in rows:
        if row.method in table.rows:
            assert set(row.metrics) == set(table.columns)
            assert (row.subgroup not in ("all", *READERS)) == table.by_type
    for variants in table.rows.values():
        assert set(variants) == set(table.parts)
        assert all(find_variant(system, variant) for variant in variants.values())
    for name, parts in table.measured:
        assert set(parts) <= set(table.parts), name


def test_table_3_is_whole() -> None:
    assert [row.method for row in paper_rows("pdnet", "3")] == ROWS_3
    assert list(tables()["pdnet-3"][1].rows) == ROWS_3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["pdnet-4"],
            "there is no table 'pdnet-4' (choose of pdnet-1, pdnet-2, pdnet-3, pdnet-rls, ",
        ),
        (["pdnet-3", "--resume", "gone"], "there is no run 'gone' to go on with"),
        (["pdnet-3", "--variant", "base"], "--variant"),
        (["pdnet-3", "--workers", "0"], "--workers is 0; it must be above 0"),
        (["pdnet-3", "--table", "pdnet-1"], "--table"),
        (["pdnet-3", "--seeds", "0", "1", "0"], "--seeds 0 1 0 has one twice"),
        (["pdnet-3", "--seeds", "0", "-1"], "training.seed is -1; it must be at least 0"),
    ],
)
def test_mistakes(
    words: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("reproduce", *words, "--preset", "tiny", "--storage", tmp_path) == 2
    shown = capfd.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_without_words_it_names_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("reproduce") == 2
    assert command("reproduce", "--help") == 0
    assert capsys.readouterr().out.count("TABLE is one of: pdnet-1, pdnet-2, pdnet-3") == 2


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("reproduce", "pdnet-3", "--preset", "tiny", "--help") == 0
    shown = capsys.readouterr().out
    assert "--config.training.epochs" in shown
    assert "--resume" in shown
    assert "--seeds" in shown
    assert "--table" not in shown
