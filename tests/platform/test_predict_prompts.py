"""`predict` by systems told a box or marks, that give a mask alone or none, and by two models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from lesions import InputError, Recist
from lesions.prompts import PROMPTS
from lesions.readers.png import decode_labels, encode_slice
from platform.predict import WITHOUT, PredictOptions
from tests.boxed import ARM, Boxed, Crossed, Marked, save
from tests.discs import Checkpoints, dice, middle_of, slice_with_discs
from tests.lesions.readers import dicom_files
from tests.lesions.writers.test_dicom_writer import both_groups_of, referred
from tests.platform.conftest import command
from trainables.registry import SYSTEMS

HU, CORNERS = slice_with_discs(100)
MASK = CORNERS[2]
SPACING = (0.5, 0.8)
Predict = Callable[..., dict[str, Any]]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A checkpoint of each made system, by its name."""
    found = {}
    for system in (Boxed(), Marked(), Crossed()):
        monkeypatch.setitem(SYSTEMS, system.name, system)
        found[system.name] = save(system, tmp_path / system.name)
    return found


@pytest.fixture
def predict(models: dict[str, Path], tmp_path: Path) -> Predict:
    (tmp_path / "slice.png").write_bytes(encode_slice(HU))

    def run(
        system: str, *words: object, image: Path = tmp_path / "slice.png", status: int = 0
    ) -> dict[str, Any]:
        more = ("--spacing", *SPACING) if image.suffix == ".png" else ()
        given = ("--model", models[system], "--image", image, *more, "--out", tmp_path / "out")
        assert command("predict", system, *given, *words) == status
        found: dict[str, Any] = json.loads((tmp_path / "out" / "answer.json").read_text())
        return found

    return run


def box_of(mask: NDArray[np.uint8], margin: int = 3) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [int(columns.min()) - margin, int(rows.min()) - margin,
            int(columns.max()) + margin, int(rows.max()) + margin]  # fmt: skip


def joined(numbers: object) -> str:
    return ",".join(f"{number:g}" for number in np.ravel(numbers))  # type: ignore[call-overload]


def test_every_kind_of_prompt_has_an_option() -> None:
    assert PROMPTS.keys() <= PredictOptions.__dataclass_fields__.keys()


def test_a_box_gives_a_mask_and_the_recist_measured_from_it(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = box_of(MASK)
    found = predict("boxed", "--box", joined([*box[2:], *box[:2]]))
    mask = decode_labels((tmp_path / "out" / "mask.png").read_bytes())
    assert np.array_equal(mask, MASK), "the disc is 120 HU brighter, the noise has 10"
    assert found["told"] == {"kind": "box", "points": [box[:2], box[2:]]}
    assert (found["found"], found["recist_from"], found["made"]) == (True, "mask", None)
    assert "doubt" not in found
    truth = Recist.from_mask(MASK, SPACING)
    long, short = truth.diameters_mm(SPACING)
    assert found["recist"]["long_axis"]["mm"] == pytest.approx(long, abs=1e-3)
    assert found["recist"]["short_axis"]["mm"] == pytest.approx(short, abs=1e-3)
    for axis in found["recist"].values():
        assert [(end["spread_mm"], end["peak"]) for end in axis["ends"]] == [(None, None)] * 2
    assert [*found["model"]["parts"]] == ["model"]
    assert found["mask"]["pixels"] == MASK.sum()
    shown = capsys.readouterr().out
    assert "Given are the slice and a box." in shown
    assert f"{long:.1f} × {short:.1f} mm, from the mask" in shown
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "answer.json", "mask.png", "overlay.png"
    }  # fmt: skip


@pytest.mark.parametrize("directions", [((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (1, 0, 0))])
def test_dicom_objects_of_a_measured_recist(
    predict: Predict, tmp_path: Path, directions: tuple[Any, Any]
) -> None:
    """The box is in the stored matrix, and so are the mask and the ends."""
    (file,) = dicom_files.save_all(dicom_files.series(HU[None], *directions), tmp_path / "ct")
    stored = dicom_files.series(MASK[None], *directions)[0]
    truth = (stored.pixel_array.astype(int) - 1024).astype(np.uint8)
    found = predict("boxed", "--box", joined(box_of(truth)), image=file)
    seg = highdicom.seg.segread(tmp_path / "out" / "mask.dcm")
    assert np.array_equal(np.squeeze(seg.pixel_array), truth)
    assert seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0][
        "AlgorithmName"
    ].value == "boxed"  # fmt: skip
    report = highdicom.sr.srread(tmp_path / "out" / "report.dcm")
    (axes,) = report.content.get_volumetric_roi_measurement_groups()
    values = [axis.value for axis in axes.get_measurements()]
    assert values == pytest.approx([axis["mm"] for axis in found["recist"].values()], abs=1e-3)
    ends = [(end["x"], end["y"]) for axis in found["recist"].values() for end in axis["ends"]]
    assert np.hypot(*(np.mean(ends, axis=0) - middle_of(truth))) < 2


def test_nifti(predict: Predict, tmp_path: Path) -> None:
    ras = HU[None][:, ::-1, ::-1].transpose(2, 1, 0)
    file = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ras, np.diag([0.7, 0.8, 2.5, 1.0])), file)
    predict("boxed", "--box", joined(box_of(MASK)), image=file)
    stored = np.asarray(nibabel.load(tmp_path / "out" / "mask.nii.gz").dataobj)  # type: ignore[attr-defined]
    assert np.array_equal(stored.transpose(2, 1, 0)[0, ::-1, ::-1], MASK)


def test_marks_are_told_as_drawn(predict: Predict, tmp_path: Path) -> None:
    marks = Recist.from_mask(MASK, SPACING).points
    found = predict("marked", "--marks", joined(np.round(marks, 3)))
    assert found["told"]["kind"] == "marks"
    assert np.array(found["told"]["points"]) == pytest.approx(marks, abs=1e-3)
    assert dice(decode_labels((tmp_path / "out" / "mask.png").read_bytes()), MASK) > 0.8


def test_nothing_segmented_is_no_mask_and_no_measurement(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = dicom_files.save(dicom_files.ct(np.zeros_like(HU)), tmp_path / "empty")
    found = predict("boxed", "--box", "10,10,40,40", image=file, status=WITHOUT)
    assert (found["status"], found["found"]) == ("nothing found", False)
    assert (found["recist"], found["recist_from"], found["files"]) == (None, None, {})
    assert found["guess"] == {"mask": {"pixels": 0, "area_mm2": 0}, "recist": None}
    shown = capsys.readouterr().out
    assert "nothing found: nothing is segmented\nno mask: " in shown
    assert " mm" not in shown


@pytest.mark.parametrize("directions", [((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (1, 0, 0))])
def test_a_system_without_a_mask(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    directions: tuple[Any, Any],
) -> None:  # fmt: skip
    """It measures, and its report has the axes on the stored image, without a segment."""
    (file,) = dicom_files.save_all(dicom_files.series(HU[None], *directions), tmp_path / "ct")
    found = predict("crossed", "--click", "60,50", "--tracking-id", "T1", image=file)
    assert (found["mask"], found["recist_from"]) == (None, "endpoints")
    assert found["files"] == {"report": "report.dcm"}
    assert found["recist"]["long_axis"]["pixels"] == 2 * ARM
    assert (found["status"], found["doubt"]) == ("measured", "it is always the same cross")
    shown = capsys.readouterr().out
    assert "doubtful: it is always the same cross\n" in shown
    assert "no mask: crossed segments nothing\n" in shown
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"answer.json", "overlay.png", "report.dcm"}
    segmented, (group,) = both_groups_of(out / "report.dcm")
    assert segmented == []
    called = found["tracking"]
    assert (group.tracking_identifier, group.tracking_uid) == ("T1", called["uid"])
    for axis, said in zip(group.get_measurements(), found["recist"].values(), strict=True):
        assert axis.value == said["mm"]
        (line,) = axis.referenced_coordinates
        ends = np.array([(end["x"], end["y"]) for end in said["ends"]])
        assert line.value == pytest.approx(ends + 0.5)
        assert referred(line.ContentSequence[0])[0] == pydicom.dcmread(file).SOPInstanceUID


@pytest.mark.parametrize("step", ["source_image", "report"])
def test_what_no_report_can_be_made_of_is_measured_all_the_same(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("nothing can refer to it")

    monkeypatch.setattr(f"trainables.answering.writing.{step}", refuse)
    file = dicom_files.save(dicom_files.ct(HU), tmp_path / "one")
    found = predict("crossed", "--click", "60,50", image=file)
    assert (found["status"], found["files"], found["frames"]) == ("measured", {}, [])
    assert found["tracking"]["uid"] is None
    assert found["warnings"] == ["no report: nothing can refer to it"]


def test_what_is_guessed_of_a_lesion_that_is_not_found_is_no_headline(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = dicom_files.save(dicom_files.ct(np.full_like(HU, -1000)), tmp_path / "air")
    found = predict("crossed", "--click", "60,50", image=file, status=WITHOUT)
    assert (found["status"], found["found"]) == ("nothing found", False)
    assert (found["recist"], found["recist_from"], found["files"]) == (None, None, {})
    assert found["guess"]["recist"]["long_axis"]["pixels"] == 2 * ARM
    shown = capsys.readouterr().out
    assert "nothing found: it is always the same cross\nwhat is guessed" in shown
    assert " mm" not in shown


def test_an_answer_says_whether_its_axes_were_made_perpendicular(predict: Predict) -> None:
    assert not predict("crossed", "--click", "60,50")["perpendicular"]
    assert predict("crossed", "--click", "60,50", "--perpendicular")["perpendicular"]


@pytest.mark.parametrize("corner", range(4))
@pytest.mark.parametrize("system", ["boxed", "marked"])
def test_another_models_mask_makes_the_prompt(
    predict: Predict, two_checkpoints: Checkpoints, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], system: str, corner: int,
) -> None:  # fmt: skip
    """A click for PDNet, whose mask's part there becomes a box or marks."""
    x, y = middle_of(CORNERS[corner])
    found = predict(system, "--click", f"{x},{y}", "--with", *two_checkpoints)
    mask = decode_labels((tmp_path / "out" / "mask.png").read_bytes())
    assert dice(mask, CORNERS[corner]) > 0.8
    assert found["told"] == {"kind": "click", "points": [[x, y]]}
    made = found["made"]
    assert made["kind"] == SYSTEMS[system].prompt.name
    low, high = np.min(made["points"], axis=0), np.max(made["points"], axis=0)
    assert ((low < (x, y)) & ((x, y) < high)).all()
    assert (made["made_by"]["system"], [*made["made_by"]["parts"]]) == (
        "pdnet", ["stage1", "stage2"]
    )  # fmt: skip
    assert found["model"]["system"] == system
    assert f"PDNet makes the {made['kind']}. Stage 1 and stage 2" in capsys.readouterr().out


def test_the_box_of_another_model_is_given_in_the_stored_matrix(
    predict: Predict, two_checkpoints: Checkpoints, tmp_path: Path
) -> None:
    turned = ((0, 1, 0), (1, 0, 0))
    (file,) = dicom_files.save_all(dicom_files.series(HU[None], *turned), tmp_path / "ct")
    stored = dicom_files.series(MASK[None], *turned)[0]
    truth = (stored.pixel_array.astype(int) - 1024).astype(np.uint8)
    found = predict("boxed", "--click", joined(middle_of(truth)), "--with", *two_checkpoints,
                    image=file)  # fmt: skip
    rows, columns = np.nonzero(truth)
    (x0, y0), (x1, y1) = found["made"]["points"]
    assert np.hypot((x0 + x1) / 2 - columns.mean(), (y0 + y1) / 2 - rows.mean()) < 4


def test_what_another_model_does_not_find_makes_no_prompt(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.png").write_bytes(encode_slice(np.zeros_like(HU)))
    words = ("--image", tmp_path / "empty.png", "--spacing", 1, 1, "--out", tmp_path / "out",
             "--box", "10,10,40,40", "--with", models["boxed"])  # fmt: skip
    assert command("predict", "marked", "--model", models["marked"], *words) == 2
    error = capsys.readouterr().err
    assert "the model that is to make the RECIST marks segments nothing" in error
    assert not (tmp_path / "out" / "answer.json").exists()


@pytest.mark.parametrize(
    ("system", "words", "message"),
    [
        ("boxed", ("--click", "5,5"),
         "boxed is told a box (say --box X0,Y0,X1,Y1, or a click and --with MODEL)"),
        ("marked", ("--box", "5,5,9,9"), "marked is told the RECIST marks (say --marks X1,Y1,"),
        ("boxed", ("--box", "9,9,9,20"), "the box 9,9,9,20 has no area"),
        ("boxed", ("--box", "9,9,20"), "--box is '9,9,20' (say X0,Y0,X1,Y1 in pixels)"),
        ("boxed", ("--click", "5,5", "--with", "boxed"),
         "boxed is told a box itself, as boxed is (leave --with out, or name another model)"),
        ("marked", ("--click", "5,5", "--with", "boxed"),
         "boxed, which is to make the RECIST marks, is told a box (say --box X0,Y0,X1,Y1)"),
        ("boxed", ("--click", "5,5", "--with", "nowhere"), "nowhere: no checkpoint"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, system: str, words: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = ("--model", models[system], "--image", "a.png", "--out", "out")
    assert command("predict", system, *given, *words) == 2
    assert message in capsys.readouterr().err


def test_a_model_of_another_system_is_refused(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--image", "a.png", "--box", "5,5,9,9", "--out", tmp_path / "out")
    assert command("predict", "boxed", "--model", models["marked"], *words) == 2
    assert "holds a model of marked, not of boxed" in capsys.readouterr().err
    assert command("predict", "boxed", *words) == 2
    assert "which model is to answer? (say --model NAME@ALIAS" in capsys.readouterr().err
    assert command("predict", "boxed", "--model", *[models["boxed"]] * 2, *words) == 2
    assert "two models are named for boxed" in capsys.readouterr().err
