"""Which lesions are measured: rows with a human mask, and the largest slice of a series."""

from pathlib import Path

import numpy as np
import pytest

from lesions.errors import InputError
from lesions.judging.batches import ROWS_PER_BATCH, deeplesion_batches
from lesions.judging.tissues import tissues_of
from lesions.labels import EMPTY
from lesions.lesion import SPLITS, Lesion
from lesions.prepared.remarking import MarksFrom, MarksNoise, remarked
from lesions.readers.deeplesion import Rejected, read_deeplesion
from lesions.readers.png import encode_labels
from lesions.recist import Recist
from lesions.sample import ROOT as SAMPLE
from tests.platform.conftest import sample_rows, write_source


def read(
    root: Path, splits: tuple[str, ...] = SPLITS, *, largest: bool = False
) -> tuple[list[Lesion], list[Rejected]]:
    batches = deeplesion_batches(root, splits, keep_noisy=False, largest=largest)
    found = [one for batch in batches for one in batch.read()]
    lesions = [one for one in found if isinstance(one, Lesion)]
    return lesions, [one for one in found if isinstance(one, Rejected)]


def test_every_row_of_the_sample_in_the_tables_order() -> None:
    lesions, aside = read(SAMPLE)
    assert [lesion.row for lesion in lesions] == [
        lesion.row for lesion in read_deeplesion(SAMPLE)[0]
    ]
    assert aside == []
    batches = deeplesion_batches(SAMPLE, SPLITS, keep_noisy=False, largest=False)
    assert max(len(batch.rows) for batch in batches) == ROWS_PER_BATCH


def test_the_largest_slice_of_each_tumour() -> None:
    lesions, aside = read(SAMPLE, largest=True)
    everything, _ = read_deeplesion(SAMPLE)
    areas: dict[str, int] = {}
    for lesion in everything:
        area = int(np.sum(lesion.mask("human") == 1))
        areas[lesion.patient] = max(area, areas.get(lesion.patient, 0))
    assert {lesion.patient: int(np.sum(lesion.mask("human") == 1)) for lesion in lesions} == areas
    assert len(lesions) == len(areas) == 36
    assert len(lesions) + len(aside) == len(everything)
    assert {one.reason for one in aside} == {"not the largest slice of its series"}


def test_of_equal_slices_the_first(tmp_path: Path) -> None:
    first, second = sample_rows(test=2)
    source = write_source(tmp_path, [first, second])
    (source / "Masks_png").unlink()
    for row in (first, second):
        width, height = map(int, row["Image_size"].split(","))
        mask = np.zeros((height, width), np.uint8)
        mask[40:50, 40:50] = 1
        folder, _, index = row["File_name"].removesuffix(".png").rpartition("_")
        path = source / "Masks_png" / folder / f"{index}_1.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_labels(mask))
    lesions, aside = read(source, largest=True)
    assert [lesion.file for lesion in lesions] == [first["File_name"]]
    assert [one.file for one in aside] == [second["File_name"]]


def test_splits_are_the_tables_and_an_unknown_one_is_not_hidden(tmp_path: Path) -> None:
    rows = sample_rows(train=2, validation=2, test=2)
    rows[1]["Train_Val_Test"] = "9"
    source = write_source(tmp_path, rows)
    lesions, aside = read(source, ("test",))
    assert {lesion.split for lesion in lesions} == {"test"}
    assert len(lesions) == 2
    assert [(one.row, one.reason) for one in aside] == [
        (2, "Train_Val_Test is '9', not one of 1, 2, 3")
    ]


def test_what_cannot_be_judged_is_told(tmp_path: Path) -> None:
    good, broken, empty, torn = sample_rows(test=4)
    twice = dict(good)  # a second lesion of the slice: the mask KKK_2.png is absent
    broken["Spacing_mm_px_"] = "0, 0, 0"
    source = write_source(tmp_path, [good, twice, broken, empty, torn, {**good, "File_name": "x"}])
    masks = source / "Masks_png"
    masks.unlink()
    for row in (good, broken, empty, torn):
        folder, _, index = row["File_name"].removesuffix(".png").rpartition("_")
        path = masks / folder / f"{index}_1.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((SAMPLE / "Masks_png" / folder / f"{index}_1.png").read_bytes())
        if row is empty:
            width, height = map(int, row["Image_size"].split(","))
            path.write_bytes(encode_labels(np.zeros((height, width), np.uint8)))
        if row is torn:
            path.write_bytes(path.read_bytes()[:60])
    lesions, aside = read(source)
    assert [lesion.row for lesion in lesions] == [1]
    assert {one.row: one.reason for one in aside} == {
        2: "no human mask in Masks_png",
        3: "Spacing_mm_px_ is not positive: [0.0, 0.0, 0.0]",
        4: EMPTY,
        5: "the PNG is truncated or no PNG",
        6: "no human mask in Masks_png",
    }


def test_a_batch_set_aside_names_all_its_rows() -> None:
    batch = deeplesion_batches(SAMPLE, SPLITS, keep_noisy=False, largest=False)[1]
    aside = batch.aside("why")
    assert [one.row for one in aside] == [row.number for row in batch.rows] == [*range(9, 17)]
    assert {one.reason for one in aside} == {"why"}


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        deeplesion_batches(tmp_path, SPLITS, keep_noisy=False, largest=False)


def test_marks_are_the_tables_or_the_masks_and_then_changed() -> None:
    splits, noise = ("validation",), MarksNoise(length=0.2, place=0.1)

    def of(marks: MarksFrom) -> list[Lesion]:
        batch = deeplesion_batches(SAMPLE, splits, keep_noisy=False, largest=False, marks=marks)[0]
        return [one for one in batch.read() if isinstance(one, Lesion)]

    plain = of(MarksFrom())
    assert [one.recist for one in of(MarksFrom(noise=noise))] == [
        remarked(one, noise).recist for one in plain
    ]
    # The sample's marks were measured from its masks, and written with three digits.
    for table, mask in zip(plain, of(MarksFrom(masks=True)), strict=True):
        assert 0 < np.abs(table.recist.points - mask.recist.points).max() < 1e-3
        assert mask.recist == Recist.from_mask(table.mask("human"), table.spacing)


def test_tissues_are_told_by_file_and_row(tmp_path: Path) -> None:
    assert tissues_of(tmp_path) == {}
    text = "File_name,row,tissue,host\na.png,1,ground_glass,lung\na.png,2,rim,muscle\nb.png,x,,\n"
    (tmp_path / "phantom.csv").write_text(text)
    assert tissues_of(tmp_path) == {
        ("a.png", 1): "ground glass in lung",
        ("a.png", 2): "rim in muscle",
    }
