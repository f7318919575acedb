"""AHRNet, taught on discs, answers in all four corners of PNG, DICOM and NIfTI."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from lesions.readers.png import decode_labels, encode_slice
from tests.discs import SPACING, Checkpoints, dice, middle_of, slice_with_discs, teach
from tests.lesions.readers import dicom_files
from tests.platform.conftest import command
from tests.platform.test_predict_prompts import box_of, joined
from trainables.ahrnet import AHRNetSystem
from trainables.ahrnet.config import tiny

pytestmark = pytest.mark.slow
HU, CORNERS = slice_with_discs(100)
DIRECTIONS = [((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (1, 0, 0)), ((-1, 0, 0), (0, -1, 0))]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint."""
    config = tiny()
    samples = replace(config.samples, sizes=(64,), intensity=0.1)
    config = replace(config, pseudo_mask="snakes", samples=samples)
    return teach(AHRNetSystem(), config, tmp_path_factory.mktemp("ahrnet"), steps=80)


def answered(taught: Path, image: Path, out: Path, *words: object) -> dict[str, Any]:
    more = ("--spacing", *SPACING[:2]) if image.suffix == ".png" else ()
    given = ("--model", taught, "--image", image, *more, "--out", out)
    assert command("predict", "ahrnet", *given, *words) == 0
    found: dict[str, Any] = json.loads((out / "answer.json").read_text())
    return found


def is_there(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
    assert dice(mask, truth) > 0.8


@pytest.mark.parametrize("corner", range(4))
def test_a_png(taught: Path, tmp_path: Path, corner: int) -> None:
    (image := tmp_path / "slice.png").write_bytes(encode_slice(HU))
    truth = CORNERS[corner]
    found = answered(taught, image, tmp_path / "out", "--box", joined(box_of(truth, 1)))
    is_there(decode_labels((tmp_path / "out" / "mask.png").read_bytes()), truth)
    assert (found["found"], found["recist_from"]) == (True, "mask")


@pytest.mark.parametrize("corner", range(4))
@pytest.mark.parametrize("directions", DIRECTIONS)
def test_dicom(taught: Path, tmp_path: Path, corner: int, directions: tuple[Any, Any]) -> None:
    (file,) = dicom_files.save_all(dicom_files.series(HU[None], *directions), tmp_path / "ct")
    stored = dicom_files.series(CORNERS[corner][None], *directions)[0]
    truth = (stored.pixel_array.astype(int) - 1024).astype(np.uint8)
    answered(taught, file, tmp_path / "out", "--box", joined(box_of(truth, 1)))
    seg = highdicom.seg.segread(tmp_path / "out" / "mask.dcm")
    is_there(np.squeeze(seg.pixel_array), truth)


@pytest.mark.parametrize("corner", range(4))
def test_nifti(taught: Path, tmp_path: Path, corner: int) -> None:
    ras = HU[None][:, ::-1, ::-1].transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(ras, np.diag([0.7, 0.8, 2.5, 1.0])), tmp_path / "ct.nii.gz")
    truth = CORNERS[corner]
    out = tmp_path / "out"
    answered(taught, tmp_path / "ct.nii.gz", out, "--box", joined(box_of(truth, 1)))
    stored = np.asarray(nibabel.load(out / "mask.nii.gz").dataobj)  # type: ignore[attr-defined]
    is_there(stored.transpose(2, 1, 0)[0, ::-1, ::-1], truth)


@pytest.mark.parametrize("corner", range(4))
def test_a_click_that_pdnet_makes_a_box_of(
    taught: Path, two_checkpoints: Checkpoints, tmp_path: Path, corner: int
) -> None:
    (image := tmp_path / "slice.png").write_bytes(encode_slice(HU))
    truth = CORNERS[corner]
    found = answered(taught, image, tmp_path / "out", "--click", joined(middle_of(truth)),
                     "--with", *two_checkpoints)  # fmt: skip
    is_there(decode_labels((tmp_path / "out" / "mask.png").read_bytes()), truth)
    assert found["told"]["kind"] == "click"
    assert found["made"]["kind"] == "box"
