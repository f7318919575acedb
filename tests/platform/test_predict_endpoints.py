"""`predict` of several lesions of one image by what measures and segments nothing."""

import json
from pathlib import Path
from typing import Any

import pydicom

from lesions.writers.dicom import Algorithm
from tests.boxed import Boxed, Crossed, save
from tests.lesions.writers.test_dicom_writer import both_groups_of
from tests.platform.conftest import command
from tests.platform.test_predict_several import CLICKS, boxes, image, predicted
from trainables.answering.combined import combine, objects_in


def crossed(folder: Path, file: Path, out: Path) -> list[dict[str, Any]]:
    """The answers of what measures two lesions and segments none."""
    words = ("--model", save(Crossed(), folder / "crossed"), "--image", file, "--out", out)
    assert command("predict", "tests.boxed:Crossed", *words, "--clicks", *CLICKS[:2]) == 0
    return [json.loads(path.read_text()) for path in sorted(out.glob("0*/answer.json"))]


def test_lesions_without_masks_share_a_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    answers = crossed(tmp_path, image(tmp_path), out)
    assert [path.name for path in sorted(out.iterdir())] == ["000001", "000002", "report.dcm"]
    segmented, groups = both_groups_of(out / "report.dcm")
    assert segmented == []
    for group, found in zip(groups, answers, strict=True):
        assert group.tracking_uid == found["tracking"]["uid"]
        lengths = [axis["mm"] for axis in found["recist"].values()]
        assert [one.value for one in group.get_measurements()] == lengths


def test_a_lesion_without_a_mask_is_beside_one_that_has_one(tmp_path: Path) -> None:
    """What is put together again is the same; without the one that has one there is no SEG."""
    file, both = image(tmp_path), tmp_path / "both"
    alone, _ = crossed(tmp_path, file, tmp_path / "out")
    boxed = save(Boxed(), tmp_path / "boxed")
    predicted(boxed, tmp_path / "other", "--image", file, *boxes(2))
    folders = [tmp_path / "out" / "000001", tmp_path / "other"]
    uids = []
    for some in (folders, folders, folders[:1]):
        assert combine(some, Algorithm(name="boxed", version="1"), both) == []
        segmented, (measured,) = both_groups_of(both / "report.dcm")
        assert measured.tracking_uid == alone["tracking"]["uid"]
        assert len(segmented) == len(some) - 1
        assert objects_in(both) == {"report.dcm", *["mask.dcm"] * len(segmented)}
        uids.append(pydicom.dcmread(both / "report.dcm").SOPInstanceUID)
    assert uids[0] == uids[1] != uids[2]
