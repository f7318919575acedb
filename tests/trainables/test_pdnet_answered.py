"""An answer read again: found where it is whole, answered anew where anything is wrong with it."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dashboards.plots.overlays import click_overlay
from lesions.readers.png import encode_slice
from tests.discs import Checkpoints, slice_with_discs
from trainables.pdnet import batch
from trainables.pdnet.answered import is_answered, read_answer
from trainables.pdnet.answers import Click, answer, identity
from trainables.pdnet.batch import DEATHS, ClickActor, item_of
from trainables.pdnet.two_stages import load_two_stages

HU, _ = slice_with_discs(100)
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def place(two_checkpoints: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/slice.png`, and its answer in `out/a`."""
    root = tmp_path_factory.mktemp("jane") / "study"
    (root / "data").mkdir(parents=True)
    (root / "data" / "slice.png").write_bytes(encode_slice(HU))
    both = load_two_stages(*two_checkpoints, torch.device("cpu"))
    model = identity(*two_checkpoints)
    answer(both, model, click_in(root), root / "out" / "a", click_overlay)
    return root


def click_in(root: Path) -> Click:
    return Click(image=root / "data" / "slice.png", at=(30.0, 30.0), spacing=(0.5, 0.8))


@pytest.fixture
def answered(place: Path, tmp_path: Path) -> Path:
    """A copy of it, elsewhere."""
    return Path(shutil.copytree(place, tmp_path / "elsewhere"))


def is_found(root: Path, two: Checkpoints) -> bool:
    return is_answered(root / "out" / "a", click_in(root), identity(*two), False, "auto")


def edit(root: Path, change: Change) -> None:
    file = root / "out" / "a" / "answer.json"
    found = json.loads(file.read_text())
    change(found)
    file.write_text(json.dumps(found))


def test_its_paths_are_its_own_folders(place: Path, two_checkpoints: Checkpoints) -> None:
    folder = place / "out" / "a"
    text = (folder / "answer.json").read_text()
    assert str(place.parent) not in text
    assert str(two_checkpoints[0].parent) not in text
    found = json.loads(text)
    assert found["image"] == "../../data/slice.png"
    for stage, path in zip(("stage1", "stage2"), two_checkpoints, strict=True):
        assert os.path.abspath(folder / found["model"][stage]["checkpoint"]) == str(path)


def test_it_is_found_when_images_and_answers_have_moved(
    answered: Path, two_checkpoints: Checkpoints
) -> None:
    assert is_found(answered, two_checkpoints)
    other = answered / "data" / ".." / "data"
    click = replace(click_in(answered), image=other / "slice.png")
    assert is_answered(answered / "out" / "a", click, identity(*two_checkpoints), False, "auto")


def test_one_with_absolute_paths_is_found(answered: Path, two_checkpoints: Checkpoints) -> None:
    """As they were written before."""
    edit(answered, lambda found: found.update(image=str(click_in(answered).image)))
    assert is_found(answered, two_checkpoints)
    edit(answered, lambda found: found.update(image="/elsewhere/slice.png"))
    assert not is_found(answered, two_checkpoints)


DEEP: dict[str, Any] = {}
for _ in range(50):
    DEEP = {"": DEEP}
CHANGES: dict[str, Change] = {
    "no image": lambda found: found.pop("image"),
    "image 5": lambda found: found.update(image=5),
    "slice true": lambda found: found.update(slice=True),
    "slice text": lambda found: found.update(slice="0"),
    "click one": lambda found: found.update(click=[1]),
    "click text": lambda found: found.update(click="ab"),
    "click NaN": lambda found: found.update(click=[float("nan"), 1]),
    "click huge": lambda found: found.update(click=[10**400, 1]),
    "window object": lambda found: found.update(window_hu={}),
    "spacing number": lambda found: found.update(spacing_mm=3),
    "mask list": lambda found: found.update(mask=[]),
    "area infinite": lambda found: found.update(mask={"area_mm2": float("inf")}),
    "recist number": lambda found: found.update(recist=3),
    "no recist": lambda found: found.pop("recist"),
    "no spread": lambda found: found["recist"]["long_axis"]["ends"][1].pop("spread_mm"),
    "recist empty": lambda found: found.update(recist={}),
    "axis text": lambda found: found["recist"].update(long_axis="long"),
    "mm text": lambda found: found["recist"]["long_axis"].update(mm="=1+1"),
    "ends none": lambda found: found["recist"]["short_axis"].update(ends=None),
    "spread text": lambda found: found["recist"]["short_axis"]["ends"][0].update(spread_mm="a"),
    "files list": lambda found: found.update(files=["mask.png"]),
    "files number": lambda found: found.update(files={"mask": 3}),
    "files null byte": lambda found: found.update(files={"mask": "\0"}),
    "files elsewhere": lambda found: found.update(files={"mask": "../../data/slice.png"}),
    "model text": lambda found: found.update(model="pdnet"),
    "model deep": lambda found: found.update(model=DEEP),
    "stage list": lambda found: found["model"].update(stage1=[]),
    "found 1": lambda found: found.update(stage1_found=1),
    "precision list": lambda found: found.update(precision=["float32"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_says_it_wrongly_is_no_answer(
    answered: Path, two_checkpoints: Checkpoints, change: str
) -> None:
    edit(answered, CHANGES[change])
    assert read_answer(answered / "out" / "a") is None
    assert not is_found(answered, two_checkpoints)


def as_folder(path: Path) -> None:
    path.mkdir()
    (path / "within").touch()


def as_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


FILES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.touch(),
    "cut": lambda path: path.write_text('{"image": "'),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\0"),
    "a list": lambda path: path.write_text("[]"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "long number": lambda path: path.write_text('{"slice": ' + "9" * 5000 + "}"),
    "giant": as_giant,
    "folder": as_folder,
    "pipe": os.mkfifo,
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.timeout(20, func_only=True)
def test_a_damaged_file_is_answered_anew(
    answered: Path, two_checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whatever lies there in place of answer.json, of a mark of deaths, and of the mask."""
    folder = answered / "out" / "a"
    for name in ("answer.json", DEATHS, "mask.png"):
        (folder / name).unlink(missing_ok=True)
        if name != DEATHS or kind != "folder":  # which the driver has deleted before
            FILES[kind](folder / name)
    assert read_answer(folder) is None
    assert not is_found(answered, two_checkpoints)
    monkeypatch.setattr(batch, "use_assigned_resources", lambda: torch.device("cpu"))
    actor = ClickActor(
        two_checkpoints, identity(*two_checkpoints), answered / "out", False, "fp32", click_overlay
    )
    assert json.loads(actor(item_of([("a", click_in(answered))]))["rejected"]) == []
    assert is_found(answered, two_checkpoints)
    assert {path.name for path in folder.iterdir()} == {"answer.json", "mask.png", "overlay.png"}


def test_a_reason_names_no_folder(
    answered: Path, two_checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "use_assigned_resources", lambda: torch.device("cpu"))

    def full(*_: Any) -> bytes:
        raise OSError(28, "No space left on device", str(answered))

    actor = ClickActor(
        two_checkpoints, identity(*two_checkpoints), answered / "out", False, "fp32", full
    )
    ((_, reason),) = json.loads(actor(item_of([("b", click_in(answered))]))["rejected"])
    assert reason == "OSError: No space left on device"
