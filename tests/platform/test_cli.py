"""What a user types wrongly: exit status 2, and one message with the choices."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lesions.sample import ROOT as SAMPLE
from platform.command_line.options import parse, parse_system, take_system
from platform.compare import CompareOptions
from platform.train import TrainOptions
from tests.platform.conftest import ROOT, TINY, Cluster, command
from trainables.configs import flatten
from trainables.pdnet.config import tiny

MISTAKES = {
    "system": (["pdnot"], "there is no system 'pdnot' (choose of pdnet"),
    "class": (["tests.platform.made:Absent"], "the module tests.platform.made has no 'Absent'"),
    "space": (["tests.platform.made:Spaceless"], "spaceless has no search space (give its class"),
    "preset": (
        ["pdnet", "--preset", "huge"],
        "pdnet has no preset 'huge' (choose of auto, paper, tiny)",
    ),
    "variant": (["pdnet", "--variant", "bare"], "pdnet has no variant 'bare' (choose of base, "),
    "config name": (["pdnet", "--config.los.weight", "1"], "--config.loss.weight"),
    "option": (["pdnet", "--trails", "3"], "--trials"),
    "input size": (["pdnet", "--config.samples.input-size", "33"], "must be a multiple of 32"),
    "epochs": (
        ["pdnet", "--config.training.epochs", "0"],
        "training.epochs is 0",
    ),
    "stage": (["pdnet", "--config.stage", "3"], "Expected one of ('1', '2')"),
    "number": (["pdnet", "--trials", "many"], "many"),
    "trials": (["pdnet", "--trials", "-1"], "--trials is -1; it must be above 0"),
    "concurrent": (["pdnet", "--concurrent", "0"], "--concurrent is 0; it must be above 0"),
    "workers": (["pdnet", "--workers-per-trial", "0"], "--workers-per-trial is 0; it must be"),
    "name": (["pdnet", "--name", "../up"], "'../up' is no name"),
    "resume": (["pdnet", "--resume", "gone"], "there is no run 'gone' to go on with"),
    "data": (["pdnet", "--data", "/nowhere"], "python -m platform.prepare"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message(
    mistake: str, tmp_path: Path, named_anew: None, capfd: pytest.CaptureFixture[str]
) -> None:
    words, said = MISTAKES[mistake]
    assert command("sweep", *words, "--storage", tmp_path) == 2
    shown = re.sub(r"\s*│\s*│?\s*", " ", capfd.readouterr().err)
    assert said in shown
    assert "Traceback" not in shown
    assert shown.count("error:") <= 1


@pytest.mark.parametrize(
    "words", [["--workers", "0"], ["--name", "a/b"], ["--resume", "gone"], ["--register", "a:b"]]
)
def test_training_refuses_mistakes_too(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("train", "pdnet", *words, "--storage", tmp_path) == 2
    shown = capfd.readouterr().err
    assert words[1] in shown
    assert len(shown.splitlines()) == (5 if words[0] in ("--workers", "--register") else 1)


def test_resume_lists_the_sweeps_there_are(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("monday", "tuesday"):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
        (tmp_path / "sweeps" / name / "sweep.json").write_text("{}")
    assert command("sweep", "pdnet", "--resume", "gone", "--storage", tmp_path) == 2
    assert "choose of monday, tuesday" in capfd.readouterr().err


def test_a_taken_name_is_told(
    tmp_path: Path, tiny_set: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind, plan in (("sweep", "sweeps/mine/sweep.json"), ("train", "trainings/mine/train.json")):
        (tmp_path / plan).parent.mkdir(parents=True)
        (tmp_path / plan).write_text("{}")
        words = ["pdnet", "--name", "mine", "--data", tiny_set, "--storage", tmp_path]
        assert command(kind, *words) == 2
        assert "go on with it by --resume mine" in capfd.readouterr().err


def test_a_variant_comes_before_the_config_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train", "pdnet", "--variant", "base+PE", "--config.model.features", "4"]
    monkeypatch.setattr(sys, "argv", words)
    system, preset, options = parse_system(
        TrainOptions, prog="train", has_gpu=lambda: False, make=lambda c: TrainOptions(config=c)
    )
    assert (system.name, preset) == ("pdnet", "tiny")
    wanted = system.variants()["base+PE"](tiny())
    assert options.config == replace(wanted, model=replace(wanted.model, features=4))


@pytest.mark.parametrize(
    "words",
    [
        ["--system", "pdnet", "--variant", "base"],
        ["--variant", "base", "--system", "pdnet"],
        ["--variant", "base", "--system=trainables.pdnet:PDNetSystem"],
    ],
)
def test_system_may_be_said_as_an_option(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train", *words])
    system, preset, options = parse_system(
        TrainOptions, prog="train", has_gpu=lambda: False, make=lambda c: TrainOptions(config=c)
    )
    assert (system.name, preset) == ("pdnet", "tiny")
    assert options.config == system.variants()["base"](tiny())


def test_other_commands_take_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", "--sweep", "night", "--system", "pdnet"])
    options = parse(CompareOptions, prog="compare")
    assert (options.system, options.sweep) == ("pdnet", "night")
    assert take_system(["table", "--system", "a:B", "x"]) == ("a:B", ["table", "x"])
    assert take_system(["table", "--system"]) == (None, ["table", "--system"])


def test_a_table_of_a_system_from_elsewhere(
    named_anew: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["millimetres-1", "--resume", "gone", "--storage", tmp_path]
    assert command("reproduce", *words) == 2
    assert "there is no table 'millimetres-1' (choose of pdnet-1, " in capfd.readouterr().err
    assert command("reproduce", "--system", "tests.platform.made:Millimetres", *words) == 2
    assert "there is no run 'gone' to go on with" in capfd.readouterr().err


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", "pdnet", "--help") == 0
    shown = capsys.readouterr().out
    for name in flatten(tiny()):
        assert re.search(rf"--config\.{name.replace('_', '-')}\b", shown)
    assert "share of the segmentation loss" in shown
    assert "degrees" in shown


def test_a_command_without_words_names_the_systems(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep") == 2
    assert command("sweep", "--help") == 0
    shown = capsys.readouterr().out
    assert shown.count("SYSTEM is one of: pdnet") == 2
    assert "python -m platform.sweep pdnet --help" in shown
    assert "presets of pdnet: auto, paper, tiny" in shown
    assert "variants of pdnet: base, base+PE" in shown


def test_an_unwritable_storage_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert command("sweep", "pdnet", "--storage", tmp_path / "file" / "below") == 2
    assert "cannot be written: Not a directory" in capfd.readouterr().err


def test_the_exit_status_reaches_the_shell(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "platform.prepare", "--source", "/nowhere", "--out", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: /nowhere/DL_info.csv: there is no such file")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.ray
def test_more_gpus_than_there_are(
    ray_cluster: Cluster, tmp_path: Path, tiny_set: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["pdnet", "--data", tiny_set, "--storage", tmp_path, "--name", "big", *TINY]
    assert command("sweep", *words, "--gpus-per-trial", 4) == 2
    assert (
        "a trial wants 4 gpu, the cluster has 0 (lower --gpus-per-trial)" in capfd.readouterr().err
    )
    assert command("sweep", *words, "--workers-per-trial", 3) == 2
    assert (
        "a trial wants 3 cpu, the cluster has 2 (lower --cpus-per-trial or --workers-per-trial)"
        in capfd.readouterr().err
    )
    assert command("train", *words, "--workers", 9) == 2
    assert "9 workers want 9 CPU, the cluster has 2" in capfd.readouterr().err
    assert not list(tmp_path.glob("*/big/*.json")), "the name is still free"


def test_a_cluster_that_is_away(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "platform.prepare", "--source", SAMPLE, "--out", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {"RAY_ADDRESS": "127.0.0.1:1"},
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "error: the Ray cluster at 127.0.0.1:1 does not answer: Connection refused" in done.stderr
    )
    assert "Traceback" not in done.stderr
