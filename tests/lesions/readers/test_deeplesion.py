"""The DeepLesion reader: sound rows read exactly, every kind of bad row named and set aside."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lesions import InputError
from lesions.readers.deeplesion import COLUMNS, read_deeplesion, read_table
from lesions.readers.png import encode_labels, encode_slice

GOOD = {
    "File_name": "000001_02_03_004.png",
    "Patient_index": "1",
    "Study_index": "2",
    "Series_ID": "3",
    "Measurement_coordinates": "10.5, 12.5, 20.5, 12.5, 15.5, 8.5, 15.5, 16.5",
    "Coarse_lesion_type": "5",
    "Possibly_noisy": "0",
    "Spacing_mm_px_": "0.5, 0.75, 5",
    "Image_size": "40, 30",
    "DICOM_windows": "-1500, 500",
    "Train_Val_Test": "3",
}


def write(root: Path, *rows: dict[str, str | None], slice_hu: np.ndarray | None = None) -> None:
    """A data set of these rows; a field that is None, and all after it, is not in its row."""
    with (root / "DL_info.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            fields = [row[name] for name in COLUMNS]
            writer.writerow(fields[: fields.index(None)] if None in fields else fields)
    folder = root / "Images_png" / "000001_02_03"
    folder.mkdir(parents=True)
    hu = np.arange(30 * 40, dtype=np.int16).reshape(30, 40) if slice_hu is None else slice_hu
    (folder / "004.png").write_bytes(encode_slice(hu))


def test_a_sound_row_reads_exactly(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (lesion,), rejected = read_deeplesion(tmp_path)
    assert rejected == []
    # Half a pixel off: the table's origin is a pixel's corner, ours its centre.
    np.testing.assert_array_equal(lesion.recist.points, [[10, 12], [20, 12], [15, 8], [15, 16]])
    assert lesion.slice_hu[2, 3] == 83
    assert lesion.shape == (30, 40)
    assert lesion.spacing == (0.5, 0.75, 5)
    assert lesion.window == (-1500, 500)
    assert (lesion.patient, lesion.study, lesion.series) == ("1", "2", "3")
    assert (lesion.lesion_type, lesion.split) == ("lung", "test")
    assert lesion.recist.diameters_mm(lesion.spacing) == (5, 6)


BAD = {
    "too few numbers": ({"Measurement_coordinates": "1, 2, 3"}, "3 numbers, not 8"),
    "NaN": ({"Measurement_coordinates": "nan, 1, 2, 3, 4, 5, 6, 7"}, "not finite"),
    "words": ({"Spacing_mm_px_": "wide"}, "not 3 numbers"),
    "outside": ({"Measurement_coordinates": "1, 1, 41.6, 1, 5, 0.5, 5, 3"}, "outside"),
    "zero long axis": ({"Measurement_coordinates": "5, 5, 5, 5, 5, 1, 5, 9"}, "zero length"),
    "zero short axis": ({"Measurement_coordinates": "5, 5, 9, 5, 7, 5, 7, 5"}, "zero length"),
    "climbs": ({"File_name": "../../etc/passwd"}, "is not of the form"),
    "climbs in a folder": ({"File_name": "../1_2_3_4.png"}, "is not of the form"),
    "absolute": ({"File_name": "/1_2_3_4.png"}, "is not of the form"),
    "absent": ({"File_name": "000009_02_03_004.png"}, "absent"),
    "wrong size": ({"Image_size": "512, 512"}, "Image_size says 512"),
    "zero spacing": ({"Spacing_mm_px_": "0, 1, 1"}, "not positive"),
    "window upside down": ({"DICOM_windows": "500, -1500"}, "not low, high"),
    "unknown type": ({"Coarse_lesion_type": "9"}, "Coarse_lesion_type is '9'"),
    "unknown split": ({"Train_Val_Test": ""}, "Train_Val_Test is ''"),
    "noisy": ({"Possibly_noisy": "1"}, "possibly noisy"),
    "short row": ({"Coarse_lesion_type": None}, "ends before"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_set_aside_with_its_reason(tmp_path: Path, case: str) -> None:
    change, reason = BAD[case]
    write(tmp_path, GOOD, GOOD | change)
    lesions, (rejected,) = read_deeplesion(tmp_path)
    assert [lesion.row for lesion in lesions] == [1]
    assert rejected.row == 2
    assert rejected.file == (GOOD | change)["File_name"]
    assert reason in rejected.reason


def test_noisy_rows_are_kept_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path, GOOD | {"Possibly_noisy": "1"})
    assert read_deeplesion(tmp_path, keep_noisy=True)[0][0].noisy


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated or no PNG"),
        (encode_slice(np.zeros((30, 40), np.int16))[:-20], "truncated"),
        (encode_labels(np.zeros((30, 40), np.uint8)), "not 16-bit"),
    ],
)
def test_a_damaged_slice_is_set_aside(tmp_path: Path, content: bytes, reason: str) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "Images_png/000001_02_03/004.png").write_bytes(content)
    lesions, (rejected,) = read_deeplesion(tmp_path)
    assert lesions == []
    assert reason in rejected.reason


def test_human_masks_belong_to_the_nth_annotation(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD)
    folder = tmp_path / "Masks_png" / "000001_02_03"
    folder.mkdir(parents=True)
    mask = np.zeros((30, 40), np.uint8)
    mask[12, 10:20] = 1
    (folder / "004_2.png").write_bytes(encode_labels(mask))
    first, second = read_deeplesion(tmp_path)[0]
    assert "human" not in first.masks
    np.testing.assert_array_equal(second.mask("human"), mask)
    with pytest.raises(KeyError, match="has no mask 'human'"):
        first.mask("human")


def test_a_mask_of_another_size_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    folder = tmp_path / "Masks_png" / "000001_02_03"
    folder.mkdir(parents=True)
    (folder / "004_1.png").write_bytes(encode_labels(np.zeros((3, 4), np.uint8)))
    assert "human mask is 4 × 3" in read_deeplesion(tmp_path)[1][0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "lacks the columns"),
        (b"File_name,Other\n", "lacks the columns Patient_index"),
        (",".join(COLUMNS).encode() + b"\n", "no rows"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_an_unusable_table_names_its_file(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "DL_info.csv").write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_table(tmp_path)
    assert "DL_info.csv" in str(caught.value)


def test_nihs_own_table_and_slices(shared_data: Path) -> None:
    """The 79 slices: all rows accounted for; the unflagged x = 513.6 of 000211_02_01_018 too."""
    root = shared_data / "deeplesion"
    rows = read_table(root)
    lesions, rejected = read_deeplesion(root)
    assert len(lesions) + len(rejected) == len(rows) == 5953
    assert len(lesions) > 20
    reasons = {row.file: row.reason for row in rejected}
    assert "outside" in reasons["000211_02_01_018.png"]
    assert sum("absent" in row.reason for row in rejected) > 5000
    first = next(lesion for lesion in lesions if lesion.file == "000001_01_01_109.png")
    assert first.lesion_type == "mediastinum"
    assert first.slice_hu.min() >= -3024
