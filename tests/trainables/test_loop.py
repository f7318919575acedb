"""The loop: the same curve from one seed, resumed or not, and nothing finished is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lesions import InputError, Lesion
from trainables.checkpoint import Progress, load_best
from trainables.evaluate import measure
from trainables.loop import Run, fit

Make = Callable[..., Run]
TIMES = {"epoch_seconds", "images_per_second"}


def curve(progress: Progress) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in progress.history]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_one_seed_gives_one_curve(make_run: Make) -> None:
    first, second = fit(make_run()), fit(make_run())
    assert curve(first) == curve(second)
    assert len(first.history) == first.epoch == 3
    other = fit(make_run(edits={"training.seed": 1}))
    assert curve(other) != curve(first)


def test_a_resumed_run_goes_on_as_if_nothing_had_been(make_run: Make) -> None:
    """Stopped as Tune stops a trial: SystemExit inside the report."""

    def stop(metrics: dict[str, float], checkpoint: Path | None) -> None:
        if metrics["epoch"] == 2:
            raise SystemExit

    whole = fit(make_run())
    stopped = make_run(stop, directory="stopped")
    with pytest.raises(SystemExit):
        fit(stopped)
    resumed = fit(make_run(directory="again", resume=stopped.directory))
    assert curve(resumed) == curve(whole)
    for name, weight in whole.best_model.items():
        assert torch.equal(weight, resumed.best_model[name])




def test_kill_9_leaves_a_whole_checkpoint(
    make_run: Make, tmp_path: Path, prepared_sample: Path
) -> None:
    """Killed wherever it is, again and again: the checkpoint always loads and the curve is one."""
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.trainables.killed", str(prepared_sample), str(folder)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        end = time.monotonic() + 90
        while not (folder / "last.pt").exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.35)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    from tests.trainables.killed import make

    resumed = fit(make(prepared_sample, tmp_path / "resumed", resume=folder))
    assert curve(resumed) == curve(fit(make(prepared_sample, tmp_path / "whole")))


def test_the_best_epoch_is_kept_not_the_last(make_run: Make, tmp_path: Path) -> None:
    progress = fit(make_run(edits={"training.learning_rate": 0.03, "training.epochs": 5}))
    dices = [row["val_dice"] for row in progress.history]
    assert progress.best_dice == max(dices)
    assert dices[progress.best_epoch - 1] == max(dices)
    best = [row["best_val_dice"] for row in progress.history]
    assert best == [max(dices[: i + 1]) for i in range(5)]


def test_the_checkpoint_predicts_as_the_run_did(make_run: Make) -> None:
    run = make_run()
    progress = fit(run)
    system, config, model = load_best(run.directory, run.device)
    assert config == run.config
    rows = measure(system, config, model, run.validation, run.device)
    dice = sum(row["dice"] for row in rows) / len(rows)
    assert dice == pytest.approx(progress.best_dice)


def test_every_epoch_is_reported_with_its_checkpoint(make_run: Make) -> None:
    seen: list[tuple[float, bool]] = []
    edits = {"training.epochs": 5, "training.checkpoint_every": 2}
    fit(make_run(lambda metrics, path: seen.append((metrics["epoch"], path is not None)), edits=edits))
    assert seen == [(1, False), (2, True), (3, False), (4, True), (5, True)]


def test_a_loss_that_is_not_finite_ends_the_run(make_run: Make) -> None:
    with pytest.raises(FloatingPointError, match="not finite in epoch 1"):
        fit(make_run(edits={"training.learning_rate": 1e30, "training.clip_norm": 0.0}))


def test_no_lesions_to_train_on_is_said_so(make_run: Make) -> None:
    with pytest.raises(InputError, match="no training lesions"):
        fit(make_run(train=[]))


def test_without_validation_the_last_epoch_is_the_best(make_run: Make) -> None:
    progress = fit(make_run(validation=[]))
    assert progress.best_epoch == 3
    assert "val_dice" not in progress.history[-1]


def test_one_lesion_trains(make_run: Make, few_lesions: list[Lesion]) -> None:
    """BatchNorm with a batch of one, down to a 1 × 1 map."""
    progress = fit(make_run(train=few_lesions[:1], edits={"training.epochs": 1}))
    assert progress.history[0]["train_loss"] > 0


def test_bf16_trains_close_to_fp32(make_run: Make) -> None:
    edits = {"training.epochs": 1}
    fp32 = fit(make_run(edits=edits)).history[0]
    bf16 = fit(make_run(edits=edits | {"training.precision": "bf16"})).history[0]
    assert bf16["train_loss"] != fp32["train_loss"]
    assert bf16["train_loss"] == pytest.approx(fp32["train_loss"], rel=0.1)


def test_gradients_are_clipped(make_run: Make) -> None:
    """So small a norm that Adam's epsilon is larger: the weights hardly move."""

    def movement(norm: float) -> float:
        edits = {"training.epochs": 1, "training.clip_norm": norm}
        run = make_run(edits=edits)
        torch.manual_seed(0)
        before = run.system.model(run.config).state_dict()
        after = fit(run).best_model
        return sum(float((after[n] - w).abs().sum()) for n, w in before.items() if "weight" in n)

    assert movement(1e-10) < 0.2 * movement(10)
