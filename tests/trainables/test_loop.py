"""The training loop: repeatable, resumed to the bit, and loud when it cannot go on."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lesions import InputError, Lesion
from lesions.metrics.merit import Merit
from lesions.prepared import PreparedSet
from lesions.prompts import Case
from tests.trainables.killed_run import EPOCHS, run_to_kill
from tests.trainables.runs import (
    FixedStatistics,
    a_run,
    curve,
    ellipses,
    small,
)
from trainables.checkpoint import BEST, LAST
from trainables.loop import Run, fit, validate
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig
from trainables.recipe import Objective
from trainables.resuming import Progress
from trainables.system import Batch, How, Prediction, Trained

LESIONS = ellipses(9)
TRAIN, VALIDATION = LESIONS[:6], LESIONS[6:]


def same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def last(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(directory / LAST, weights_only=True)
    return content


def test_the_same_seed_gives_the_same_curve(tmp_path: Path) -> None:
    curves = [
        curve(fit(a_run(tmp_path / name, small(epochs=2, seed=seed), TRAIN, VALIDATION)).history)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]
    assert same(last(tmp_path / "a")["model"], last(tmp_path / "b")["model"])


def test_real_lesions_read_from_disk_train_too(tmp_path: Path, prepared_sample: Path) -> None:
    train, validation = (PreparedSet(prepared_sample, s) for s in ("train", "validation"))
    train.rows, validation.rows = train.rows[::25], validation.rows[::12]
    history = fit(a_run(tmp_path, small(epochs=2, loader_workers=2), train, validation)).history
    assert len(history) == 2
    assert history[1]["train_loss"] < history[0]["train_loss"]
    assert history[0]["val_n"] == len(validation)


RESUMED = {"epochs": 4, "warmup": 1}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Progress]:
    directory = tmp_path_factory.mktemp("whole")
    return directory, fit(a_run(directory, small(**RESUMED), TRAIN, VALIDATION))


@pytest.mark.parametrize(("stop", "every"), [(1, 1), (3, 1), (1, 2)])
def test_resumed_after_an_exit_to_the_bit(
    tmp_path: Path, uninterrupted: tuple[Path, Progress], stop: int, every: int
) -> None:
    """Tune ends a trial by SystemExit within `report`, after it took the checkpoint."""
    config = small(**RESUMED, checkpoint_every=every)
    directory, whole = uninterrupted

    def leave(metrics: dict[str, float], checkpoint: Path | None) -> None:
        if metrics["epoch"] >= stop and checkpoint is not None:
            raise SystemExit

    with pytest.raises(SystemExit):
        fit(a_run(tmp_path / "killed", config, TRAIN, VALIDATION, leave))
    seen: list[dict[str, float]] = []
    resumed = fit(
        a_run(
            tmp_path / "resumed",
            config,
            TRAIN,
            VALIDATION,
            report=lambda metrics, checkpoint: seen.append(metrics),
            resume=tmp_path / "killed",
        )
    )
    done = last(tmp_path / "killed")["epoch"]
    assert done >= stop
    assert [metrics["epoch"] for metrics in seen] == list(range(done + 1, 5))
    assert curve(resumed.history) == curve(whole.history)
    assert (resumed.best_epoch, resumed.best_value) == (whole.best_epoch, whole.best_value)
    assert same(resumed.best_model, whole.best_model)
    ours, theirs = last(tmp_path / "resumed"), last(directory)
    assert same(ours["model"], theirs["model"])
    assert torch.equal(ours["random"], theirs["random"])


def test_resumed_after_kill_9_to_the_bit(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trainables.killed_run", str(tmp_path / "killed")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != "2":  # then epoch 3 trains
        assert process.poll() is None
    process.kill()
    assert process.wait() == -9
    process.stdout.close()
    done = last(tmp_path / "killed")["epoch"]
    assert 2 <= done < EPOCHS

    whole = fit(run_to_kill(tmp_path / "whole"))
    resumed = fit(run_to_kill(tmp_path / "killed", resume=tmp_path / "killed"))
    assert curve(resumed.history) == curve(whole.history)
    assert same(last(tmp_path / "killed")["model"], last(tmp_path / "whole")["model"])
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "best.pt",
        "last.pt",
        "run.json",
    ]


def test_a_finished_run_resumed_has_nothing_to_do(tmp_path: Path) -> None:
    config = small(epochs=1)
    whole = fit(a_run(tmp_path, config, TRAIN))

    def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
        raise AssertionError

    resumed = fit(a_run(tmp_path, config, TRAIN, report=report, resume=tmp_path))
    assert resumed.history == whole.history
    assert same(resumed.best_model, whole.best_model)


def test_what_an_epoch_reports(tmp_path: Path) -> None:
    reports: list[tuple[dict[str, float], Path | None]] = []
    config = small(epochs=3, checkpoint_every=2)
    fit(a_run(tmp_path, config, TRAIN, VALIDATION, lambda m, c: reports.append((m, c))))
    assert [checkpoint for _, checkpoint in reports] == [None, tmp_path, tmp_path]
    for epoch, (metrics, _) in enumerate(reports):
        assert metrics["epoch"] == epoch + 1
        assert metrics["learning_rate"] == pytest.approx([0.001, 0.00075, 0.00025][epoch])
        assert (metrics["phase"], metrics["done"]) == (1, epoch == 2)
        weighed = 0.01 * metrics["seg_loss"] + 0.99 * metrics["heatmap_loss"]
        assert metrics["train_loss"] == pytest.approx(weighed, rel=1e-5)
        assert metrics["images_per_second"] > 0
        assert metrics["val_n"] == len(VALIDATION)
        assert {"val_dice", "val_dice_std", "val_long_axis_error", "best_val_dice"} <= set(metrics)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains(tmp_path: Path, precision: Any) -> None:
    """On a CPU as well: fp16 with its loss scaling, which a checkpoint takes along."""
    config = small(epochs=2, precision=precision)
    whole = fit(a_run(tmp_path / "whole", config, TRAIN[:4]))
    assert whole.history[-1]["train_loss"] < whole.history[0]["train_loss"]
    scaler = last(tmp_path / "whole")["scaler"]
    assert bool(scaler) == (precision == "fp16")
    assert all(v.dtype != torch.bfloat16 for v in last(tmp_path / "whole")["model"].values())

    def leave(metrics: dict[str, float], checkpoint: Path | None) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        fit(a_run(tmp_path / "killed", config, TRAIN[:4], report=leave))
    resumed = fit(a_run(tmp_path, config, TRAIN[:4], resume=tmp_path / "killed"))
    assert curve(resumed.history) == curve(whole.history)


class Exploding(PDNetSystem):
    """PDNet whose loss is infinite in one batch."""

    def __init__(self, at: int) -> None:
        self.left = at

    def terms(
        self, config: PDNetConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> dict[str, Tensor]:
        terms = super().terms(config, model, batch, objective)
        self.left -= 1
        return {k: v * torch.inf if self.left == 0 else v for k, v in terms.items()}


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    """In the second epoch: the first one's checkpoint stays as it was."""
    run = a_run(tmp_path, small(batch_size=2), TRAIN, system=Exploding(at=5))
    with pytest.raises(FloatingPointError, match="not finite in epoch 2"):
        fit(run)
    saved = last(tmp_path)
    assert saved["epoch"] == 1
    assert all(value.isfinite().all() for value in saved["model"].values())


def test_no_training_lesions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training lesions"):
        fit(a_run(tmp_path, small(), [], VALIDATION))


def test_no_validation_lesions(tmp_path: Path) -> None:
    """The last epoch counts as the best then."""
    progress = fit(a_run(tmp_path, small(), TRAIN))
    assert progress.best_epoch == 3
    assert not any(name.startswith("val_") for name in progress.history[0])
    assert same(progress.best_model, last(tmp_path)["model"])


def test_an_error_that_was_not_validated_is_no_perfect_one(tmp_path: Path) -> None:
    class InMm(PDNetSystem):
        merit = Merit(name="long_axis_error", better="lower")

    progress = fit(a_run(tmp_path, small(epochs=2), TRAIN, system=InMm()))
    assert (progress.best_epoch, progress.best_value) == (2, InMm.merit.worst)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_single_lesion_trains(tmp_path: Path, batch_size: int) -> None:
    history = fit(a_run(tmp_path, small(epochs=4, batch_size=batch_size), TRAIN[:1])).history
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def norm_of_last_gradient(directory: Path, clip_norm: float) -> float:
    system = FixedStatistics()
    fit(a_run(directory, small(epochs=1, clip_norm=clip_norm), TRAIN[:4], system=system))
    gradients = [p.grad for p in system.network.parameters() if p.grad is not None]
    return float(nn.utils.get_total_norm(gradients))


def test_gradients_are_clipped(tmp_path: Path) -> None:
    free = norm_of_last_gradient(tmp_path / "free", clip_norm=0)
    assert norm_of_last_gradient(tmp_path / "wide", clip_norm=free * 2) == pytest.approx(free)
    tight = norm_of_last_gradient(tmp_path / "tight", clip_norm=free / 10)
    assert tight == pytest.approx(free / 10, rel=1e-3)


class Scripted(PDNetSystem):
    """PDNet that finds the lesion as well as it is told to, one Dice after another."""

    def __init__(self, dice: Sequence[float], lesions: Sequence[Lesion]) -> None:
        self.dice, self.lesions = iter(dice), lesions

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        dice = next(self.dice)
        for lesion, _ in zip(self.lesions, cases, strict=True):
            mask = lesion.mask("snakes")
            found = np.flatnonzero(mask)
            # A part p of the lesion, and nothing else, has Dice 2p / (1 + p).
            mask.flat[found[round(len(found) * dice / (2 - dice)) :]] = 0
            yield Prediction(mask=mask, recist=lesion.recist)


def test_the_best_epoch_is_kept_not_the_last(tmp_path: Path) -> None:
    """Of equals the later one."""
    saved: list[dict[str, Tensor]] = []
    progress = fit(
        a_run(
            tmp_path,
            small(epochs=4),
            TRAIN,
            VALIDATION,
            report=lambda metrics, checkpoint: saved.append(last(tmp_path)["model"]),
            system=Scripted([0.2, 0.8, 0.8, 0.5], VALIDATION),
        )
    )
    assert [m["val_dice"] for m in progress.history] == pytest.approx(
        [0.2, 0.8, 0.8, 0.5], abs=0.01
    )
    best = progress.history[1]["val_dice"]
    assert [m["best_val_dice"] for m in progress.history[1:]] == [best] * 3
    assert (progress.best_epoch, progress.best_value) == (3, best)
    stored = torch.load(tmp_path / BEST, weights_only=True)
    assert (stored["epoch"], stored["merit"], stored["value"]) == (3, "dice", best)
    for kept in (progress.best_model, stored["model"]):
        assert same(kept, saved[2])
        assert not same(kept, saved[3])


def test_validation_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    run: Run = a_run(tmp_path, small(), TRAIN, VALIDATION)
    model = run.system.model(run.config).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    validate(run, model)
    assert model.training
    assert same(before, model.state_dict())
