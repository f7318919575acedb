"""Several lesions of one image: a folder each, one SEG and one report of all, and their names."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch

from dashboards.plots.overlays import answer_overlay
from lesions import InputError
from lesions.readers.png import encode_slice
from platform.running.prompt_tables import Asked
from tests.boxed import Boxed, Crossed, Stacked, save
from tests.discs import Checkpoints, dice, middle_of, slice_with_discs
from tests.lesions.readers import dicom_files
from tests.lesions.readers.test_prompt_table import write_table
from tests.lesions.writers.test_dicom_writer import groups_of
from tests.platform.conftest import command
from tests.platform.test_prompt_tables import read
from trainables.answering import batch
from trainables.answering.answerer import Answering
from trainables.answering.batch import AnswerActor, item_of

HU, CORNERS = slice_with_discs(100)
CLICKS = ["{},{}".format(*middle_of(corner)) for corner in CORNERS]
NAMED = ("--tracking-id", "T1", "--tracking-id", "T2")


OUTSIDE = "900,1,950,30"
BOXES = [f"{x - 15},{y - 15},{x + 15},{y + 15}" for x, y in map(middle_of, CORNERS)]


@pytest.fixture
def boxed(tmp_path: Path) -> Path:
    return save(Boxed(), tmp_path / "model")


def predicted(
    models: Checkpoints | Path, out: Path, *words: object, status: int = 0
) -> list[dict[str, Any]]:
    """The answers of a call by PDNet's two stages or by what is told boxes, in order."""
    who: tuple[object, ...] = (
        ("tests.boxed:Boxed", "--model", models)
        if isinstance(models, Path)
        else ("pdnet", "--model", *models)
    )
    assert command("predict", *who, "--out", out, *words) == status
    return [json.loads(path.read_text()) for path in sorted(out.glob("0*/answer.json"))]


def tracked(seg: Path) -> dict[str, str]:
    found = pydicom.dcmread(seg).SegmentSequence
    return {one.TrackingID: one.TrackingUID for one in found}


def image(folder: Path, **tags: Any) -> Path:
    return dicom_files.save(dicom_files.ct(HU, **tags), folder / "one.dcm")


@pytest.mark.parametrize("words", [
    ("--clicks", *CLICKS[:2]), ("--click", CLICKS[0], "--click", CLICKS[1])
])  # fmt: skip
def test_clicks_of_one_image(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    answers = predicted(two_checkpoints, out, "--image", image(tmp_path), *words)
    assert [found["files"] for found in answers] == [
        {"mask": "mask.dcm", "report": "report.dcm"}
    ] * 2  # fmt: skip
    seg = pydicom.dcmread(out / "mask.dcm")
    assert [one.TrackingUID for one in seg.SegmentSequence] == [
        found["tracking"]["uid"] for found in answers
    ]
    for pixels, truth in zip(seg.pixel_array, CORNERS, strict=False):
        assert dice(pixels, truth) > 0.85
    for group, found in zip(groups_of(out / "report.dcm"), answers, strict=True):
        lengths = [axis["mm"] for axis in found["recist"].values()]
        assert [one.value for one in group.get_measurements()] == lengths
        reference = group.referenced_segment[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
    shown = capsys.readouterr().out
    assert f"lesion 1, click {CLICKS[0]}:" in shown
    assert f"lesion 2, click {CLICKS[1]}:" in shown


def boxes(*at: int) -> list[str]:
    return [word for corner in at for word in ("--box", BOXES[corner])]


def test_a_lesion_keeps_its_own_through_time(boxed: Path, tmp_path: Path) -> None:
    """By its name and its patient: in another study, alone or beside others, in any order."""
    base, later, other = tmp_path / "base", tmp_path / "later", tmp_path / "other"
    predicted(boxed, base, "--image", image(tmp_path), *boxes(0, 1), *NAMED)
    study = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.8", "StudyDate": "20270101"}
    predicted(boxed, later, "--image", image(tmp_path, **study), *boxes(2, 0, 1),
              "--tracking-id", "T3", *NAMED)  # fmt: skip
    words = ("--image", image(tmp_path, PatientID="P2"), *boxes(0))
    predicted(boxed, other, *words, "--tracking-id", "T1")
    uids, again = tracked(base / "mask.dcm"), tracked(later / "mask.dcm")
    assert [*uids] == ["T1", "T2"]
    assert [*again] == ["T3", "T1", "T2"]
    assert {name: again[name] for name in uids} == uids
    assert tracked(base / "000001" / "mask.dcm") == {"T1": uids["T1"]}
    assert tracked(other / "mask.dcm")["T1"] not in uids.values()
    given = ("--tracking-id", "T1", "--tracking-uid", "1.2.3.4")
    predicted(boxed, other, *words, *given)
    assert tracked(other / "mask.dcm") == {"T1": "1.2.3.4"}


def test_without_a_patient_a_name_is_no_uid(
    boxed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uids = set()
    for name in ("a", "b"):
        words = ("--image", image(tmp_path, PatientID=None), *boxes(0), "--tracking-id", "T1")
        predicted(boxed, tmp_path / name, *words)
        uids |= {*tracked(tmp_path / name / "mask.dcm").values()}
    assert len(uids) == 2
    assert "warning: PatientID of the image is missing: the lesion has a new" in (
        capsys.readouterr().out
    )


def test_what_cannot_be_answered_is_passed_over(
    boxed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of an earlier call is left, and a SEG of one lesion is one all the same."""
    out, file = tmp_path / "out", image(tmp_path)
    predicted(boxed, out, "--image", file, *boxes(0, 1, 2))
    (answer,) = predicted(boxed, out, "--image", file, "--box", OUTSIDE, *boxes(0))
    assert "not answered: " in capsys.readouterr().out
    assert [path.name for path in sorted(out.iterdir())] == ["000002", "mask.dcm", "report.dcm"]
    assert tracked(out / "mask.dcm") == {"Lesion 2": answer["tracking"]["uid"]}
    assert predicted(boxed, out, "--image", file, "--box", OUTSIDE, "--box", OUTSIDE,
                     status=2) == []  # fmt: skip
    assert "the box 900,1,950,30 lies outside" in capsys.readouterr().err
    assert [*out.iterdir()] == []


def test_what_cannot_be_put_together_costs_no_measurement(
    boxed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, words = tmp_path / "out", ("--image", image(tmp_path), *boxes(0, 1))
    for kind, left in (("report", ["mask.dcm"]), ("segmentation", [])):

        def refuse(*_: object) -> None:
            raise InputError("the image's header cannot be taken over")

        with monkeypatch.context() as patch:
            patch.setattr(f"trainables.answering.combined.{kind}", refuse)
            answers = predicted(boxed, out, *words)
        assert [found["files"]["report"] for found in answers] == ["report.dcm"] * 2
        assert [path.name for path in sorted(out.glob("*.dcm"))] == left
        assert "report of all 2 lesions together: the image's header" in capsys.readouterr().out


def test_images_that_are_no_dicom(boxed: Path, tmp_path: Path) -> None:
    (tmp_path / "slice.png").write_bytes(encode_slice(HU))
    words = ("--image", tmp_path / "slice.png", "--spacing", 0.8, 0.8, *boxes(0, 1))
    answers = predicted(boxed, tmp_path / "out", *words, *NAMED)
    assert [found["tracking"]["identifier"] for found in answers] == ["T1", "T2"]
    assert [found["tracking"]["uid"] for found in answers] == [None, None]
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["000001", "000002"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tracking-id", "T1"), "--tracking-id is said 1 times, for 2 prompts (say it once a"),
        (("--tracking-id", "T1", "--tracking-id", "T1"), "says the same of two lesions of one"),
        (("--tracking-uid", "1.2", "--tracking-uid", "x"), "the tracking UID 'x' is no UID (at"),
        (("--box", "1,1,9,9"), "--click and --box: say one"),
    ],
)
def test_mistakes_are_named(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    given = ("--image", image(tmp_path), "--clicks", *CLICKS[:2], *words)
    assert predicted(two_checkpoints, tmp_path / "out", *given, status=2) == []
    assert message in capsys.readouterr().err


def test_a_lesion_on_all_slices_has_a_volume(tmp_path: Path) -> None:
    """Of a system that segments volumes: its SEG has all slices, its report the mm³."""
    stack = np.stack([HU, np.roll(HU, 1, axis=1), HU, np.zeros_like(HU)])
    dicom_files.save_all(dicom_files.series(stack), tmp_path / "ct")
    out = tmp_path / "out"
    given = (
        "--model",
        save(Stacked(), tmp_path / "model"),
        "--image",
        tmp_path / "ct",
        "--slice",
        1,
    )
    assert command("predict", "tests.boxed:Stacked", *given, "--out", out, *boxes(0, 1)) == 0
    seg = pydicom.dcmread(out / "mask.dcm")
    assert seg.NumberOfFrames == 6, "three slices a lesion"
    for number, group in enumerate(groups_of(out / "report.dcm"), 1):
        pixels = [image for image, frame in zip(
            seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True
        ) if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number]  # fmt: skip
        found = json.loads((out / f"{number:06d}" / "answer.json").read_text())
        assert found["mask"]["volume_mm3"] == pytest.approx(np.sum(pixels) * 0.7 * 0.8 * 2.5)
        lengths = [axis["mm"] for axis in found["recist"].values()]
        values = [one.value for one in group.get_measurements()]
        assert values == [*lengths, found["mask"]["volume_mm3"]]
        ((line,), _, _) = [one.referenced_coordinates for one in group.get_measurements()]
        key = pydicom.dcmread(tmp_path / "ct" / "IM1").SOPInstanceUID
        instance = line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert instance == key


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are answered without Ray."""

    def here(answering: Answering, todo: Sequence[Asked], out: Path) -> dict[str, str]:
        item = item_of([(one.row.folder, one.question) for one in todo])
        actor = AnswerActor(answering, out, answer_overlay)
        return dict(json.loads(actor(item)["rejected"])) if todo else {}

    monkeypatch.setattr(batch, "use_assigned_resources", lambda: torch.device("cpu"))
    monkeypatch.setattr("platform.running.prompt_tables._answer", here)


@pytest.mark.usefixtures("_in_this_process")
def test_rows_without_masks_are_together_in_a_report(tmp_path: Path) -> None:
    rows = [("left", image(tmp_path).name, *CLICKS[0].split(",")),
            ("right", "one.dcm", *CLICKS[1].split(","))]  # fmt: skip
    write_table(tmp_path, rows, ("id", "image", "x", "y"))
    out, model = tmp_path / "out", save(Crossed(), tmp_path / "crossed")
    words = ("--model", model, "--table", tmp_path / "clicks.csv", "--out", out)
    assert command("predict", "tests.boxed:Crossed", *words) == 0
    assert [row["dicom"] for row in read(out / "answers.csv")] == ["images/left"] * 2
    assert [path.name for path in (out / "images" / "left").iterdir()] == ["report.dcm"]


@pytest.mark.usefixtures("_in_this_process")
def test_rows_of_one_image_are_together(boxed: Path, tmp_path: Path) -> None:
    """However a table names it; what is answered again is the same; one row has its own alone."""
    name = image(tmp_path).name
    columns = ("id", "image", "x0", "y0", "x1", "y1", "tracking_id")
    first, second = (box.split(",") for box in BOXES[:2])
    rows = [("left", name, *first, "T1"), ("right", f"./{name}", *second, "")]
    out, words = tmp_path / "out", ("--table", tmp_path / "clicks.csv")
    said, same = [], ""
    for some in (rows, rows, rows[:1], [rows[0], (*rows[1][:-1], "T1")]):
        write_table(tmp_path, some, columns)
        predicted(boxed, out, *words)
        said.append([row["dicom"] for row in read(out / "answers.csv")])
        if len(said) <= 2:
            uids = tracked(out / "images" / "left" / "mask.dcm")
            assert [*uids] == ["T1", "Lesion 2"]
            assert uids["T1"] == tracked(out / "left" / "mask.dcm")["T1"]
            made = pydicom.dcmread(out / "images" / "left" / "report.dcm").SOPInstanceUID
            assert made == (same or made)
            same = made
    assert said == [["images/left"] * 2, ["images/left"] * 2, ["left"], ["left"]]
    assert not (out / "images" / "left").exists()
    (rejected,) = read(out / "rejected.csv")
    assert rejected["reason"].startswith("the tracking_id T1 is row 1's already, of the same image")


def test_a_table_says_what_lesions_are_called(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--table", tmp_path / "a.csv", "--tracking-id", "T1")
    assert predicted(two_checkpoints, tmp_path / "out", *words, status=2) == []
    assert "in its columns tracking_id and tracking_uid" in capsys.readouterr().err
