"""A run that is gone on with is as it was planned; what else is asked is taken, or refused."""

from pathlib import Path
from typing import Any

import pytest

from lesions import InputError
from platform.running.resumed import agreed, said_options
from platform.sweep import SweepOptions
from platform.tuning.sweeps import Sweep
from tests.platform.driven import sweep_of
from trainables.configs import edited

PLANNED = ("trials", "concurrent", "seed", "sampler", "grace", "space")


def agree(tmp_path: Path, *words: str, **changes: Any) -> dict[str, Any]:
    sweep = sweep_of(tmp_path / "night")
    config = edited(sweep.config, changes.pop("config", {}))
    plan = {name: getattr(sweep, name) for name in PLANNED}
    asked = changes.pop("asked", "tiny")
    options = SweepOptions(config=config, **changes)
    return agreed(
        plan, options, Sweep.may_change, config=sweep.config, data=sweep.data.root, preset="tiny",
        asked_preset=asked, said=said_options(words), name="night",
    )  # fmt: skip


def test_words_are_options() -> None:
    words = ["sweep", "--trials", "3", "--no-pictures", "--config.training.batch-size=4", "--", "x"]
    assert said_options(words) == {"trials", "pictures", "config.training.batch_size"}
    assert said_options(["--config.model.no-pretrained"]) == {"config.model.pretrained"}


def test_what_is_not_said_is_as_planned(tmp_path: Path) -> None:
    found = agree(tmp_path, trials=99, seed=7, sampler="random")
    assert (found["trials"], found["seed"], found["sampler"]) == (4, 0, "tpe")


def test_what_changes_no_result_is_taken_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = agree(tmp_path, "--trials", "6", "--concurrent", "2", trials=6, concurrent=2)
    assert (found["trials"], found["concurrent"]) == (6, 2)
    said = capsys.readouterr().out
    assert "--trials 6 in place of 4, which was planned" in said
    assert "--concurrent 2 in place of 1" in said


@pytest.mark.parametrize(
    ("words", "changes", "refused"),
    [
        (("--seed", "7"), {"seed": 7}, "--seed of night is 0 as it was planned, not 7"),
        (("--sampler", "gp"), {"sampler": "gp"}, "--sampler of night is tpe"),
        (("--grace=9",), {"grace": 9}, "--grace of night is 1"),
        (("--space", "x"), {"space": ("x",)}, "--space of night is none as it was planned, not x"),
        (("--data", "/other"), {"data": Path("/other")}, "--data of night is"),
        (("--preset", "paper"), {"asked": "paper"}, "--preset of night is tiny"),
        (
            ("--config.training.epochs", "5"), {"config": {"training.epochs": 5}},
            "--config.training.epochs of night is 3 as it was planned, not 5",
        ),
        (("--variant", "other"), {"config": {"training.decay": 0.3}}, "--config.training.decay of"),
    ],
)  # fmt: skip
def test_what_would_change_a_result_is_refused_with_what_was_planned(
    tmp_path: Path, words: tuple[str, ...], changes: dict[str, Any], refused: str
) -> None:
    with pytest.raises(InputError, match=refused):
        agree(tmp_path, *words, **changes)


def test_the_same_said_again_is_no_news(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a scheduler does, which repeats the whole command."""
    data = tmp_path / "night" / ".." / "night"
    agree(tmp_path, "--trials", "4", "--seed", "0", "--data", "x", trials=4, seed=0, data=data)
    assert capsys.readouterr().out == ""
