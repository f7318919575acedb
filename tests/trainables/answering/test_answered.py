"""An answer read again: found where it is whole, answered anew where anything is wrong with it."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dashboards.plots.overlays import answer_overlay
from lesions.prompts import Box, Click
from lesions.readers.png import encode_slice
from lesions.tracking import Tracking
from tests.discs import Checkpoints, slice_with_discs
from trainables.answering import batch
from trainables.answering.answered import is_answered, read_answer
from trainables.answering.answerer import Answering
from trainables.answering.answers import answer
from trainables.answering.batch import DEATHS, AnswerActor, item_of
from trainables.answering.identity import Checkpoint, Identity, identify
from trainables.answering.precision import fast_precision
from trainables.answering.question import Question

HU, _ = slice_with_discs(100)
CPU = torch.device("cpu")
Change = Callable[[dict[str, Any]], object]


def model_of(two: Checkpoints) -> Identity:
    first, second = (Checkpoint(folder=folder) for folder in two)
    return identify("pdnet", {"stage1": first, "stage2": second})


@pytest.fixture(scope="module")
def who(two_checkpoints: Checkpoints) -> Answering:
    return Answering(system="pdnet", model=model_of(two_checkpoints))


@pytest.fixture(scope="module")
def place(who: Answering, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/slice.png`, and its answer in `out/a`."""
    root = tmp_path_factory.mktemp("jane") / "study"
    (root / "data").mkdir(parents=True)
    (root / "data" / "slice.png").write_bytes(encode_slice(HU))
    answer(who.load(CPU), question_in(root), root / "out" / "a", answer_overlay)
    return root


def question_in(root: Path) -> Question:
    image = root / "data" / "slice.png"
    return Question(image=image, prompt=Click(at=(30.0, 30.0)), spacing=(0.5, 0.8))


@pytest.fixture
def answered(place: Path, tmp_path: Path) -> Path:
    """A copy of it, elsewhere."""
    return Path(shutil.copytree(place, tmp_path / "elsewhere"))


def is_found(root: Path, who: Answering) -> bool:
    return is_answered(root / "out" / "a", question_in(root), who)


@pytest.fixture
def actor(answered: Path, who: Answering, monkeypatch: pytest.MonkeyPatch) -> AnswerActor:
    """Of the copy's `out`."""
    monkeypatch.setattr(batch, "use_assigned_resources", lambda: CPU)
    return AnswerActor(replace(who, precision="fp32"), answered / "out", answer_overlay)


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
        assert os.path.abspath(folder / found["model"]["parts"][stage]["checkpoint"]) == str(path)


def test_it_is_found_when_images_and_answers_have_moved(answered: Path, who: Answering) -> None:
    assert is_found(answered, who)
    other = answered / "data" / ".." / "data"
    question = replace(question_in(answered), image=other / "slice.png")
    assert is_answered(answered / "out" / "a", question, who)


def test_one_with_absolute_paths_is_found(answered: Path, who: Answering) -> None:
    edit(answered, lambda found: found.update(image=str(question_in(answered).image)))
    assert is_found(answered, who)
    edit(answered, lambda found: found.update(image="/elsewhere/slice.png"))
    assert not is_found(answered, who)


def test_one_of_a_lesion_called_otherwise_is_none(answered: Path, who: Answering) -> None:
    """Its number among others says nothing: rows come and go."""
    folder, question = answered / "out" / "a", question_in(answered)
    assert is_answered(folder, replace(question, number=7), who)
    for called in (Tracking(identifier="T1"), Tracking(uid="1.2.3")):
        assert not is_answered(folder, replace(question, tracking=called), who)
        given = asdict(called)
        edit(answered, lambda found, given=given: found["tracking"].update(given=given))
        assert is_answered(folder, replace(question, tracking=called), who)


FRAME = {"slice": 0, "file": "a.dcm", "frame": 1, "thickness_mm": None}
DEEP: dict[str, Any] = {}
for _ in range(50):
    DEEP = {"": DEEP}
CHANGES: dict[str, Change] = {
    "no image": lambda found: found.pop("image"),
    "image 5": lambda found: found.update(image=5),
    "slice true": lambda found: found.update(slice=True),
    "slice text": lambda found: found.update(slice="0"),
    "no prompt": lambda found: found.pop("told"),
    "prompt text": lambda found: found.update(told="click"),
    "prompt's kind 1": lambda found: found["told"].update(kind=1),
    "point one": lambda found: found["told"].update(points=[[1]]),
    "points text": lambda found: found["told"].update(points="ab"),
    "point NaN": lambda found: found["told"].update(points=[[float("nan"), 1]]),
    "point huge": lambda found: found["told"].update(points=[[10**400, 1]]),
    "made by a text": lambda found: found.update(made=found["told"] | {"made_by": "me"}),
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
    "parts list": lambda found: found["model"].update(parts=[]),
    "part list": lambda found: found["model"]["parts"].update(stage1=[]),
    "doubt list": lambda found: found.update(doubt=["x"]),
    "status list": lambda found: found.update(status=[]),
    "status unknown": lambda found: found.update(status="fine"),
    "perpendicular 1": lambda found: found.update(perpendicular=1),
    "found 1": lambda found: found.update(found=1),
    "precision list": lambda found: found.update(precision=["float32"]),
    "end without x": lambda found: found["recist"]["long_axis"]["ends"][1].pop("x"),
    "frames text": lambda found: found.update(frames="ab"),
    "frame number": lambda found: found.update(frames=[1]),
    "frame null byte": lambda found: found.update(frames=[FRAME | {"file": "\0"}]),
    "frame's thickness": lambda found: found.update(frames=[FRAME | {"thickness_mm": "2"}]),
    "no tracking": lambda found: found.pop("tracking"),
    "tracking UID 5": lambda found: found["tracking"].update(uid=5),
    "tracking's question": lambda found: found["tracking"].update(given=["T1", ""]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_says_it_wrongly_is_no_answer(answered: Path, who: Answering, change: str) -> None:
    edit(answered, CHANGES[change])
    assert read_answer(answered / "out" / "a") is None
    assert not is_found(answered, who)


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
    actor: AnswerActor, answered: Path, who: Answering, kind: str
) -> None:
    """Whatever lies there in place of answer.json, of a mark of deaths, and of the mask."""
    folder = answered / "out" / "a"
    for name in ("answer.json", DEATHS, "mask.png"):
        (folder / name).unlink(missing_ok=True)
        if name != DEATHS or kind != "folder":  # which the driver has deleted before
            FILES[kind](folder / name)
    assert read_answer(folder) is None
    assert not is_found(answered, who)
    assert json.loads(actor(item_of([("a", question_in(answered))]))["rejected"]) == []
    assert is_found(answered, who)
    assert {path.name for path in folder.iterdir()} == {"answer.json", "mask.png", "overlay.png"}


def test_a_reason_names_no_folder(actor: AnswerActor, answered: Path) -> None:
    def full(*_: Any) -> bytes:
        raise OSError(28, "No space left on device", str(answered))

    actor.draw = full
    ((_, reason),) = json.loads(actor(item_of([("b", question_in(answered))]))["rejected"])
    assert reason == "OSError: No space left on device"


def test_an_image_that_ends_its_worker_is_set_aside(actor: AnswerActor, answered: Path) -> None:
    """An actor is started again after a death: the mark it left says how often that was."""
    question = replace(question_in(answered), prompt=Click(at=(31.0, 30.0)))
    mark = answered / "out" / "a" / DEATHS
    mark.write_text("1")
    assert json.loads(actor(item_of([("a", question)]))["rejected"]) == []
    assert not mark.exists()
    mark.write_text("2")
    ((name, reason),) = json.loads(actor(item_of([("a", question), ("b", question)]))["rejected"])
    assert (name, reason[:26]) == ("b", "the worker ended 2 times o")
    assert not mark.exists(), "the next run tries again"


def test_another_question_is_answered_anew(answered: Path, who: Answering) -> None:
    question = question_in(answered)

    def found(who: Answering = who, **other: Any) -> bool:
        return is_answered(answered / "out" / "a", replace(question, **other), who)

    assert found()
    ours = "fp32" if fast_precision(torch.device("cpu")) is None else "bf16"  # what "auto" is here
    assert found(replace(who, precision=ours))
    assert found(index=0), "a PNG has slice 0 alone"
    assert not found(prompt=Click(at=(31.0, 30.0)))
    assert not found(prompt=Box(low=(30.0, 30.0), high=(40.0, 40.0)))
    assert not found(index=1)
    assert not found(spacing=(0.5, 0.5))
    assert not found(window=(-1000.0, 1000.0))
    assert not found(image=answered / "other.png")
    assert not found(replace(who, tta=True))
    assert not found(replace(who, precision="bf16" if ours == "fp32" else "fp32"))
    assert not found(replace(who, teller=who.model)), "another model would make its prompt"
    digests = dict(who.model.digests) | {"stage2": "other weights"}
    assert not found(replace(who, model=replace(who.model, digests=digests)))
    assert not found(replace(who, model=replace(who.model, system="other")))
    (answered / "out" / "a" / "overlay.png").unlink()
    assert not found(), "a file of it is gone"


def test_one_of_a_version_before_is_answered_anew(
    actor: AnswerActor, answered: Path, who: Answering
) -> None:
    """It said `click`, `stage1_found`, and a model with a key for each stage."""

    def as_before(found: dict[str, Any]) -> None:
        del found["made"], found["recist_from"]
        found["click"] = found.pop("told")["points"][0]
        found["stage1_found"] = found.pop("found")
        found["model"] = {"system": "pdnet", **found["model"]["parts"]}

    edit(answered, as_before)
    assert read_answer(answered / "out" / "a") is None
    assert json.loads(actor(item_of([("a", question_in(answered))]))["rejected"]) == []
    assert is_found(answered, who)
