"""`predict` from files to files: the lesion of each corner, whatever way the image is stored."""

import re
from pathlib import Path
from typing import Any

import cv2
import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from lesions.readers.png import decode_labels, encode_slice
from tests.discs import Checkpoints, dice, middle_of, slice_with_discs
from tests.lesions.readers import dicom_files
from tests.lesions.writers.test_mask_writers import chunks_of
from tests.platform.conftest import Predict, command

SLICE = 1
HU, CORNERS = slice_with_discs(100)
STACK = np.stack([np.roll(HU, 20, axis=1), HU, np.roll(HU, 15, axis=0)])


def said(click: tuple[int, int]) -> str:
    return f"{click[0]},{click[1]}"


def in_corner(mask: NDArray[np.uint8], truth: NDArray[np.uint8], found: dict[str, Any]) -> None:
    """The mask is the lesion's, and the endpoints lie around its middle."""
    assert dice(mask, truth) > 0.85
    x, y = middle_of(truth)
    ends = [end for axis in found["recist"].values() for end in axis["ends"]]
    middle = np.mean([(end["x"], end["y"]) for end in ends], axis=0)
    assert np.hypot(*(middle - (x, y))) < 6


@pytest.mark.parametrize("corner", range(4))
def test_png(predict: Predict, tmp_path: Path, corner: int) -> None:
    (tmp_path / "slice.png").write_bytes(encode_slice(HU))
    click = middle_of(CORNERS[corner])
    found = predict("--image", tmp_path / "slice.png", "--click", said(click),
                    "--spacing", 0.5, 0.8)  # fmt: skip
    mask = decode_labels((tmp_path / "out" / "mask.png").read_bytes())
    in_corner(mask, CORNERS[corner], found)
    assert found["mask"]["pixels"] == mask.sum()
    assert found["mask"]["area_mm2"] == pytest.approx(mask.sum() * 0.4)
    for axis in found["recist"].values():
        (a, b) = ((end["x"], end["y"]) for end in axis["ends"])
        assert axis["mm"] == pytest.approx(np.hypot(0.5 * (a[0] - b[0]), 0.8 * (a[1] - b[1])), 0.01)
        assert axis["pixels"] == pytest.approx(np.hypot(a[0] - b[0], a[1] - b[1]), 0.01)
        assert all(end["spread_mm"] > 0 for end in axis["ends"])
    assert (found["found"], found["recist_from"], found["made"]) == (True, "endpoints", None)
    assert found["told"] == {"kind": "click", "points": [list(click)]}
    assert found["model"]["system"] == "pdnet"
    assert [*found["model"]["parts"]] == ["stage1", "stage2"]
    for part in found["model"]["parts"].values():
        assert re.fullmatch("[0-9a-f]{64}", part["sha256"])
    assert {"read", "stage1", "stage2"} <= {*found["seconds"]}
    overlay = cv2.imread(str(tmp_path / "out" / "overlay.png"))
    assert overlay is not None
    assert overlay.shape == (384, 384, 3)
    assert chunks_of(tmp_path / "out" / "overlay.png") == {"IHDR", "pHYs", "IDAT", "IEND"}


DIRECTIONS = (((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (1, 0, 0)), ((-1, 0, 0), (0, -1, 0)))


@pytest.mark.parametrize("corner", range(4))
@pytest.mark.parametrize("directions", DIRECTIONS)
def test_dicom_series(
    predict: Predict, tmp_path: Path, corner: int, directions: tuple[Any, Any]
) -> None:
    """Click, mask and endpoints are in the stored matrix, as viewers show it."""
    paths = dicom_files.save_all(dicom_files.series(STACK, *directions), tmp_path / "ct")
    stored = dicom_files.series(CORNERS[corner][None], *directions)[0]
    truth = (stored.pixel_array.astype(int) - 1024).astype(np.uint8)
    found = predict("--image", tmp_path / "ct", "--click", said(middle_of(truth)), "--slice", SLICE)
    seg = highdicom.seg.segread(tmp_path / "out" / "mask.dcm")
    mask = np.squeeze(seg.pixel_array).astype(np.uint8)
    in_corner(mask, truth, found)
    image = pydicom.dcmread(paths[SLICE])
    by_source = seg.get_pixels_by_source_instance([image.SOPInstanceUID])
    assert np.array_equal(by_source[0, :, :, 0], mask)
    groups = [seg.SharedFunctionalGroupsSequence[0], seg.PerFrameFunctionalGroupsSequence[0]]
    (position,) = (g.PlanePositionSequence[0] for g in groups if "PlanePositionSequence" in g)
    assert position.ImagePositionPatient == pytest.approx(image.ImagePositionPatient)
    report = highdicom.sr.srread(tmp_path / "out" / "report.dcm")
    (axes,) = report.content.get_volumetric_roi_measurement_groups()
    values = [axis.value for axis in axes.get_measurements()]
    assert values == pytest.approx([axis["mm"] for axis in found["recist"].values()], abs=1e-3)


def test_dicom_file(predict: Predict, tmp_path: Path) -> None:
    file = dicom_files.save(dicom_files.ct(HU), tmp_path / "one")
    found = predict("--image", file, "--click", said(middle_of(CORNERS[2])))
    seg = highdicom.seg.segread(tmp_path / "out" / "mask.dcm")
    in_corner(np.squeeze(seg.pixel_array).astype(np.uint8), CORNERS[2], found)


def as_ras(volume: NDArray[Any]) -> NDArray[Any]:
    """(D, H, W) in display order as NIfTI's (i, j, k), to the right, front and head."""
    return volume[:, ::-1, ::-1].transpose(2, 1, 0)


@pytest.mark.parametrize("corner", range(4))
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_nifti(predict: Predict, tmp_path: Path, corner: int, axes: tuple[int, int, int]) -> None:
    """The click is in display order; the mask has the file's own axes."""
    affine = np.diag([0.7, 0.8, 2.5, 1.0])[:, [*axes, 3]]
    affine[:3, 3] = (5, -7, 9)
    image = nibabel.Nifti1Image(as_ras(STACK).transpose(axes), affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "ct.nii.gz")
    found = predict("--image", tmp_path / "ct.nii.gz", "--click", said(middle_of(CORNERS[corner])),
                    "--slice", SLICE)  # fmt: skip
    mask: Any = nibabel.load(tmp_path / "out" / "mask.nii.gz")
    assert mask.affine == pytest.approx(image.affine)
    assert mask.header["sform_code"] == nibabel.load(tmp_path / "ct.nii.gz").header["sform_code"]
    stored = np.asarray(mask.dataobj)
    assert (mask.get_data_dtype(), stored.shape) == (np.uint8, image.shape)
    ras = stored.transpose(np.argsort(axes))
    display = ras.transpose(2, 1, 0)[:, ::-1, ::-1]
    assert not display[[0, 2]].any()
    in_corner(np.ascontiguousarray(display[SLICE]), CORNERS[corner], found)


def test_precisions_and_tta_agree(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "slice.png").write_bytes(encode_slice(HU))
    words = ("--image", tmp_path / "slice.png", "--click", said(middle_of(CORNERS[0])),
             "--spacing", 0.8, 0.8)  # fmt: skip
    masks = []
    for more in (("--precision", "fp32"), ("--precision", "bf16"), ("--tta",)):
        found = predict(*words, *more)
        masks.append(decode_labels((tmp_path / "out" / "mask.png").read_bytes()))
    assert found["tta"] is True
    assert dice(masks[0], masks[1]) > 0.95
    assert dice(masks[0], masks[2]) > 0.85


def test_an_earlier_answers_files_are_gone(predict: Predict, tmp_path: Path) -> None:
    click = said(middle_of(CORNERS[0]))
    file = dicom_files.save(dicom_files.ct(HU), tmp_path / "one")
    predict("--image", file, "--click", click)
    (tmp_path / "out" / "mine.txt").touch()
    (tmp_path / "slice.png").write_bytes(encode_slice(HU))
    predict("--image", tmp_path / "slice.png", "--click", click, "--spacing", 0.8, 0.8)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "answer.json", "mask.png", "overlay.png", "mine.txt"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--image", "a.png"),
            "what is to be measured? (say --image and --click or --box or --marks; or --table)",
        ),
        (("--image", "a.png", "--table", "a.csv"), "leave --image and the prompt out"),
        (("--table", "absent.csv"), "absent.csv: there is no such file"),
        (("--image", "a.png", "--click", "5,5", "--box", "1,1,9,9"), "--click and --box: say one"),
        (("--image", "a.png", "--box", "1,1,9,9"), "pdnet is told a click (say --click X,Y)"),
        (
            ("--image", "a.png", "--click", "5,5", "--with", "b"),
            "pdnet is told a click, which no mask makes (leave --with out)",
        ),
    ],
)
def test_a_prompt_or_a_table(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: tuple[object, ...], message: str,
) -> None:  # fmt: skip
    assert wrong(two_checkpoints, tmp_path, *words) == 2
    assert message in capsys.readouterr().err


def wrong(two: Checkpoints, tmp_path: Path, *words: object) -> int:
    return command("predict", "pdnet", "--model", *two, "--out", tmp_path / "out", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--click", "144,5", "--slice", 1), "the click 144,5 lies outside its 144 × 112 pixels"),
        (("--click", "nan,5", "--slice", 1), "--click is 'nan,5' (say X,Y in pixels)"),
        (("--click", "5", "--slice", 1), "--click is '5' (say X,Y in pixels)"),
        (("--click", "5,5"), "has 3 slices (say which: --slice 0…2)"),
        (("--click", "5,5", "--slice", 3), "there is no slice 3 (it has 0…2, from the feet)"),
        (("--click", "5,5", "--slice", -1), "there is no slice -1"),
        (("--click", "5,5", "--slice", 1, "--spacing", 1, 1), "--spacing is for PNG"),
        (("--click", "5,5", "--slice", 1, "--window", 9, 9), "--window is not low, high"),
    ],
)
def test_mistakes_are_named(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: tuple[object, ...], message: str,
) -> None:  # fmt: skip
    dicom_files.save_all(dicom_files.series(STACK), tmp_path / "ct")
    assert wrong(two_checkpoints, tmp_path, "--image", tmp_path / "ct", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "answer.json").exists()


def test_unreadable_files_are_named(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = encode_slice(HU)
    (tmp_path / "slice.png").write_bytes(whole)
    (tmp_path / "cut.png").write_bytes(whole[:900])
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    (tmp_path / "bad.dcm").write_bytes(b"no image")
    for name, more, message in (
        ("absent.png", (), "there is no such file"),
        ("slice.png", (), "a PNG does not say its pixel spacing (add --spacing X Y (mm))"),
        ("slice.png", ("--spacing", 0, 1), "both must be above 0"),
        ("cut.png", ("--spacing", 1, 1), "the PNG is truncated"),
        ("bad.nii.gz", (), "no readable NIfTI"),
        ("bad.dcm", (), "bad.dcm: "),
    ):
        words = ("--image", tmp_path / name, "--click", "5,5", *more)
        assert wrong(two_checkpoints, tmp_path, *words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
    for series, folder in (("1.2.8", "a"), ("1.2.9", "b")):
        dicom_files.save(dicom_files.ct(HU, SeriesInstanceUID=series), tmp_path / "two" / folder)
    assert wrong(two_checkpoints, tmp_path, "--image", tmp_path / "two", "--click", "5,5") == 2
    assert "holds 2 CT series, not one" in capsys.readouterr().err
