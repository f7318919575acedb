"""Masks in which nothing is lesion, of 0 and 255 above all: refused at every entrance alike."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lesions import InputError, Lesion, Recist, lesions_from_mask, metrics
from lesions.judging.batches import deeplesion_batches
from lesions.judging.pairs import Pair
from lesions.labels import EMPTY, GREY, NEGATIVE, NOT_WHOLE, UNCERTAIN_ALONE, as_labels
from lesions.lesion import SPLITS
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.pairs import source_of
from lesions.prepared.prepared_set import PreparedSet
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import Rejected, read_deeplesion, read_table
from lesions.readers.png import encode_labels
from lesions.volume import Volume
from tests.lesions.readers.seg_files import ct_of, save_nifti, two_lesions
from tests.platform.conftest import sample_rows, write_source

# The values of background and lesion, and what is said of a mask of them.
REFUSED = [(0, 255, UNCERTAIN_ALONE), (255, 255, UNCERTAIN_ALONE), (0, 0, EMPTY)]


def of_values(mask: NDArray[Any], background: int, lesion: int) -> NDArray[np.uint8]:
    return np.where(mask > 0, lesion, background).astype(np.uint8)


@pytest.fixture
def table(tmp_path: Path) -> Callable[[int, int], Path]:
    """A table's folder with two rows, the human mask of the second in other values."""

    def made(background: int, lesion: int) -> Path:
        source = write_source(tmp_path, sample_rows(train=2))
        good, bad = read_deeplesion(source)[0]
        (source / "Masks_png").unlink()
        for one, values in ((good, (0, 1)), (bad, (background, lesion))):
            folder, _, index = one.file.removesuffix(".png").rpartition("_")
            path = source / "Masks_png" / folder / f"{index}_1.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_labels(of_values(one.mask("human"), *values)))
        return source

    return made


@pytest.mark.parametrize(("background", "lesion", "words"), REFUSED)
def test_rows_of_a_table(
    table: Callable[[int, int], Path], background: int, lesion: int, words: str, tmp_path: Path
) -> None:
    source = table(background, lesion)
    read, aside = read_deeplesion(source)
    assert ([one.row for one in read], [(one.row, one.reason) for one in aside]) == (
        [1],
        [(2, words)],
    )
    (batch,) = deeplesion_batches(source, SPLITS, keep_noisy=False, largest=False)
    judged = [one.reason if isinstance(one, Rejected) else one.row for one in batch.read()]
    assert judged == [1, words]
    plan = claim(Plan(source=source, out=tmp_path / "out", masks=("ellipse",)))
    for number, part in enumerate(parts_of(read_table(source))):
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    manifest = write_manifest(plan, 2, 1)
    assert (manifest["accepted"], manifest["rejected"]) == (1, 1)
    assert [lesion.row for lesion in PreparedSet(tmp_path / "out", "train")] == [1]


@pytest.mark.parametrize(("background", "lesion", "words"), REFUSED)
def test_pairs(tmp_path: Path, background: int, lesion: int, words: str) -> None:
    labels = of_values(two_lesions(), background, lesion)
    ct, mask = tmp_path / "a_ct.nii.gz", tmp_path / "a_mask.nii.gz"
    save_nifti(ct, ct_of(two_lesions()))
    save_nifti(mask, labels)
    pair = Pair(name="a", image=ct, mask=mask, window=(-100, 200))
    assert list(pair.read()) == [Rejected(file="a", row=0, reason=words)]
    plan = claim(Plan(source=source_of(tmp_path, [pair]), out=tmp_path / "o", masks=("ellipse",)))
    assert prepare_part({"part": 0, "rows": pair}, plan)["error"] == ""
    assert write_manifest(plan, 1, 1)["rejected"] == 1


def test_a_label_of_255_is_lesion_where_that_is_said(tmp_path: Path) -> None:
    ct, mask = tmp_path / "a_ct.nii.gz", tmp_path / "a_mask.nii.gz"
    save_nifti(ct, ct_of(two_lesions()))
    save_nifti(mask, of_values(two_lesions(), 0, 255))
    pair = Pair(name="a", image=ct, mask=mask, window=(-100, 200))
    ones = [np.unique(one.mask("human")).tolist()
            for one in replace(pair, label=255).read() if isinstance(one, Lesion)]  # fmt: skip
    assert ones == [[0, 1], [0, 1]]


@pytest.mark.parametrize(("background", "lesion", "words"), REFUSED)
def test_arrays(background: int, lesion: int, words: str) -> None:
    volume = two_lesions()
    labels = of_values(volume, background, lesion)
    with pytest.raises(InputError, match=words):
        Recist.from_mask(labels[2], (1, 1))
    if words == UNCERTAIN_ALONE:  # a volume without lesions has none, and a lesion has no Dice
        ct = Volume(hu=ct_of(volume), spacing=(1, 1, 1), source=Path("ct.nii"))
        with pytest.raises(InputError, match=words):
            lesions_from_mask(ct, labels)
        for pred in (labels, (volume > 0).astype(np.uint8)):
            with pytest.raises(InputError, match=words):
                metrics.segmentation(pred, labels)
            with pytest.raises(InputError, match=words):
                metrics.dice_by_offset(pred, labels, 2)


COUNTED = [(0, 2, None), (0, 128, None), (0, 254, None), (0, 1, 7)]
STRANGE = [(np.int16([[0, -1], [1, 1]]), NEGATIVE), (np.float32([[0, 0.5], [1, 1]]), NOT_WHOLE),
           (np.float64([[0, np.nan], [np.inf, 1]]), NOT_WHOLE), (np.array([["1"]]), NOT_WHOLE),
           (np.uint8([[0, 128], [255, 1]]), GREY),
           (np.int16([[0, 255], [300, 0]]), GREY)]  # fmt: skip


@pytest.mark.parametrize(("background", "lesion", "some"), COUNTED)
def test_any_positive_label_counts_at_every_entrance(
    table: Callable[[int, int], Path], background: int, lesion: int, some: int | None,
    tmp_path: Path,
) -> None:  # fmt: skip
    volume = two_lesions()
    labels = of_values(volume, background, lesion)
    if some is not None:
        labels[:, : volume.shape[1] // 2][volume[:, : volume.shape[1] // 2] > 0] = some
    ct = Volume(hu=ct_of(volume), spacing=(1, 1, 1), source=Path("ct.nii"))
    ones = lesions_from_mask(ct, (volume > 0).astype(np.uint8))
    for one, other in zip(ones, lesions_from_mask(ct, labels), strict=True):
        assert (one.recist, one.masks) == (other.recist, other.masks)
    assert Recist.from_mask(labels[2], (1, 1)) == Recist.from_mask(volume[2] > 0, (1, 1))
    assert metrics.segmentation(labels, volume > 0)["dice"] == 1
    assert metrics.segmentation(volume > 0, labels)["avd"] == 0
    save_nifti(tmp_path / "ct.nii.gz", ct.hu)
    save_nifti(tmp_path / "mask.nii.gz", labels)
    pair = Pair(
        name="a", image=tmp_path / "ct.nii.gz", mask=tmp_path / "mask.nii.gz", window=(-100, 200)
    )
    assert [isinstance(one, Lesion) and one.masks for one in pair.read()] == [
        one.masks for one in ones
    ]
    if some is None:
        read, aside = read_deeplesion(table(background, lesion))
        assert aside == []
        assert np.unique(read[1].mask("human")).tolist() == [0, 1]


@pytest.mark.parametrize(("labels", "words"), STRANGE)
def test_what_is_no_label_is_refused_in_the_same_words(labels: NDArray[Any], words: str) -> None:
    ct = Volume(hu=np.zeros((1, *labels.shape), np.int16), spacing=(1, 1, 1), source=Path("c.nii"))
    for entrance in (
        as_labels,
        lambda mask: Recist.from_mask(mask, (1, 1)),
        lambda mask: lesions_from_mask(ct, mask[None]),
        lambda mask: metrics.segmentation(mask, np.ones(mask.shape, bool)),
        lambda mask: metrics.segmentation(np.ones(mask.shape, bool), mask),
        lambda mask: metrics.average_hausdorff(mask, mask),
        lambda mask: metrics.dice_by_offset(mask[None], mask[None], 0),
    ):
        with pytest.raises(InputError) as error:
            entrance(labels)
        assert error.value.reason == words


def test_a_grey_png_is_refused(table: Callable[[int, int], Path]) -> None:
    """As a mask that was scaled smoothly: its inside is white, which would be uncertain."""
    assert [one.reason for one in read_deeplesion(table(128, 255))[1]] == [GREY]


def test_the_fields_masks_of_0_and_255(shared_data: Path) -> None:
    folder = shared_data / "field" / "masks_0_255"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    read, aside = read_deeplesion(folder)
    assert read == []
    assert {one.reason for one in aside} == {UNCERTAIN_ALONE}
    assert len(aside) == len(read_table(folder))
