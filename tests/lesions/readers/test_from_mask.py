"""Lesions from 3D masks: components, key slices, measurements, and whose pixels are whose."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lesions import InputError, Recist, Volume, read_nifti
from lesions.labels import NOT_WHOLE, UNCERTAIN_ALONE
from lesions.of_mask import ELSEWHERE, JOINED, LABELLED
from lesions.readers.from_mask import Taking, take_lesions
from lesions.readers.from_mask import lesions_from_mask as as_set

# Every connected part, however small.
lesions_from_mask = functools.partial(as_set, least_mm=0, bridge=0)


def ct(shape: tuple[int, ...], **fields: Any) -> Volume:
    hu = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return Volume(
        **({"hu": hu, "spacing": (0.5, 1.0, 3.0), "source": Path("a/liver.nii.gz")} | fields)
    )


def test_each_component_is_a_lesion() -> None:
    mask = np.zeros((6, 12, 14), np.uint8)
    mask[1, 2:5, 2:5] = 1
    mask[2, 2:7, 2:8] = 1  # the largest slice of the first
    mask[3, 2:5, 2:5] = 1
    mask[2, 9:11, 10:13] = 1  # a second beside it on the same slice
    mask[5, 0:2, 0:4] = 1
    volume = ct(mask.shape, patient="P", study="S", series="T")
    first, second, third = lesions_from_mask(volume, mask)
    assert [lesion.file for lesion in (first, second, third)] == [
        "liver_002", "liver_002", "liver_005",
    ]  # fmt: skip
    assert [lesion.row for lesion in (first, second, third)] == [1, 2, 3]
    np.testing.assert_array_equal(first.slice_hu, volume.hu[2])
    expected = np.zeros((12, 14), np.uint8)
    expected[2:7, 2:8] = 1
    np.testing.assert_array_equal(first.mask("human"), expected)
    assert first.recist == Recist.from_mask(expected, volume.spacing)
    assert second.mask("human").sum() == 6
    assert first.spacing == (0.5, 1.0, 3.0)
    assert first.window == (-160, 240)
    assert first.shape == (12, 14)
    assert (first.patient, first.study, first.series) == ("P", "S", "T")


def test_corners_connect_and_the_lowest_of_equal_slices_is_key() -> None:
    mask = np.zeros((3, 4, 4), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    (lesion,) = lesions_from_mask(ct(mask.shape), mask)
    assert lesion.file == "liver_000"


def test_a_single_voxel_is_measured() -> None:
    mask = np.zeros((3, 4, 4), bool)
    mask[1, 2, 1] = True
    (lesion,) = lesions_from_mask(ct(mask.shape), mask)
    # From edge to edge of the pixel, through its centre.
    np.testing.assert_allclose(lesion.recist.points[:2], [[1, 1.5], [1, 2.5]])
    assert lesion.recist.diameters_mm(lesion.spacing) == pytest.approx((1.0, 0.5))


def test_any_label_is_lesion_but_uncertain() -> None:
    mask = np.zeros((2, 5, 8), np.uint8)
    mask[0, 1:3, 1:3] = 1
    mask[0, 1:3, 3:5] = 7  # touches: the same lesion
    mask[0, 1:3, 5:7] = 255
    (lesion,) = lesions_from_mask(ct(mask.shape), mask)
    human = lesion.mask("human")
    np.testing.assert_array_equal(human == 1, (mask[0] == 1) | (mask[0] == 7))
    np.testing.assert_array_equal(human == 255, mask[0] == 255)
    with pytest.raises(InputError, match=UNCERTAIN_ALONE):
        lesions_from_mask(ct(mask.shape), np.where(mask == 255, mask, 0))


def test_names_keep_their_dots_but_not_their_format() -> None:
    mask = np.zeros((2, 3, 4), bool)
    mask[1, 1, 1:3] = True
    names = {"a/ct.nii.gz": "ct_001", "b/slice.dcm": "slice_001", "c/1.2.840.5": "1.2.840.5_001"}
    for source, name in names.items():
        (lesion,) = lesions_from_mask(ct(mask.shape, source=Path(source)), mask)
        assert lesion.file == name


def test_an_empty_mask_has_no_lesion() -> None:
    assert lesions_from_mask(ct((2, 3, 4)), np.zeros((2, 3, 4), bool)) == []


def test_another_geometry_is_refused_with_both() -> None:
    volume = ct((2, 3, 4), affine=np.diag([0.5, 1, 3, 1]))
    labels = np.ones((2, 3, 4), np.uint8)
    with pytest.raises(InputError, match=r"shape \(2, 4, 3\), its volume \(2, 3, 4\)"):
        lesions_from_mask(volume, labels.transpose(0, 2, 1))
    with pytest.raises(InputError, match=r"voxels are 0\.5, 1, 5 mm, its volume's 0\.5, 1, 3 mm"):
        lesions_from_mask(volume, ct((2, 3, 4), hu=labels, spacing=(0.5, 1, 5)))
    moved = np.diag([0.5, 1.0, 3, 1])
    moved[2, 3] = 3
    with pytest.raises(
        InputError, match=r"from 0, 0, 3 to 1\.5, 2, 6 mm, its volume from 0, 0, 0 to 1\.5, 2, 3"
    ):
        lesions_from_mask(volume, ct((2, 3, 4), hu=labels, affine=moved))
    assert len(lesions_from_mask(volume, ct((2, 3, 4), hu=labels))) == 1


def test_probabilities_are_no_mask() -> None:
    with pytest.raises(ValueError, match=NOT_WHOLE):
        lesions_from_mask(ct((2, 3, 4)), np.full((2, 3, 4), 0.5))


@settings(max_examples=60)
@given(mask=arrays(np.uint8, (4, 6, 7), elements=st.sampled_from([0, 0, 0, 1, 255])))
def test_lesions_and_components_are_the_same(mask: np.ndarray) -> None:
    if (mask == 255).any() and not (mask == 1).any():
        return
    volume = ct(mask.shape)
    components, count = ndimage.label(mask == 1, np.ones((3, 3, 3)))
    lesions = lesions_from_mask(volume, mask)
    assert len(lesions) == count
    for number, lesion in enumerate(lesions, start=1):
        key = int(lesion.file[-3:])
        areas = (components == number).sum(axis=(1, 2))
        assert areas[key] == areas.max()
        human = lesion.mask("human")
        np.testing.assert_array_equal(human == 1, components[key] == number)
        np.testing.assert_array_equal(human == 255, mask[key] == 255)


def test_a_sarcoma(shared_data: Path) -> None:
    volume = read_nifti(shared_data / "sts_ct" / "STS_002_ct.nii.gz")
    mask = read_nifti(shared_data / "sts_ct" / "STS_002_gtv.nii.gz")
    (lesion,) = lesions_from_mask(volume, mask)
    key = int(np.argmax(mask.hu.sum(axis=(1, 2))))
    assert lesion.file == f"STS_002_ct_{key:03d}"
    assert lesion.recist == Recist.from_mask(mask.hu[key], volume.spacing)


def test_a_mask_of_specks_is_refused() -> None:
    """Noise: each speck would be a lesion, with a slice of its own."""
    mask = np.zeros((20, 50, 50), np.uint8)
    mask[::2, ::2, ::2] = 1
    with pytest.raises(InputError, match="the mask has 6250 separate parts, more than 2048"):
        lesions_from_mask(ct(mask.shape), mask)


def stack(*levels: int) -> np.ndarray:
    """(9, 12, 12): squares of 6 × 6 pixels on these slices."""
    mask = np.zeros((9, 12, 12), np.uint8)
    mask[list(levels), 3:9, 3:9] = 1
    return mask


@pytest.mark.parametrize(
    ("levels", "bridge", "parts"),
    [((1, 2, 4, 6), 1, [3]), ((1, 2, 4, 6), 0, [1, 1, 1]), ((1, 4, 5), 1, [1, 1]),
     ((1, 4, 5), 2, [2]), ((1, 3, 6, 8), 1, [2, 2]), ((0, 8), 7, [2]), ((0, 8), 6, [1, 1])],
)  # fmt: skip
def test_empty_slices_are_bridged(levels: tuple[int, ...], bridge: int, parts: list[int]) -> None:
    mask = stack(*levels)
    taken = take_lesions(ct(mask.shape), mask, Taking(bridge=bridge))
    assert [one.of_mask and one.of_mask.parts for one in taken.lesions] == parts
    joined = sum(part > 1 for part in parts)
    said = [f"{joined} of {len(parts)} lesions {JOINED}"] if joined else []
    assert taken.warnings == said


def test_what_does_not_lie_over_it_or_goes_on_beside_it_is_another_lesion() -> None:
    aside, beside = stack(1, 2), stack(1, 2)
    aside[4, 3:9, 9:12] = 1  # touches no column of the first
    beside[4:6, 3:9, 3:9] = 1
    beside[1:6, 0:2, 3:9] = 1  # joined to neither
    beside[5, 2, 3:9] = 1  # but to the second, which so begins on slice 1
    for mask in (aside, beside):
        assert len(take_lesions(ct(mask.shape), mask, Taking(bridge=3)).lesions) == 2


def test_parts_on_several_slices_keep_the_order_of_the_first() -> None:
    mask = stack(0, 2)
    mask[1, 0, 0:8] = mask[4, 11, 0:8] = 1
    taken = take_lesions(ct(mask.shape), mask, Taking())
    assert [(one.row, one.of_mask and one.of_mask.parts) for one in taken.lesions] == [
        (1, 2), (2, 1), (3, 1),
    ]  # fmt: skip


def test_specks_are_set_aside_with_their_length_and_told() -> None:
    mask = stack(3, 4)
    mask[0, 0, 0] = mask[8, 11, 6:12] = 1  # 1 and 6 pixels of 0.5 mm
    volume = ct(mask.shape)
    taken = take_lesions(volume, mask, Taking())
    assert [lesion.row for lesion in taken.lesions] == [2, 3]
    (speck,) = taken.aside
    assert (speck.file, speck.row) == ("liver_000", 1)
    assert speck.reason == "smaller than the least size of 3 mm: 1.0 mm at its longest"
    with pytest.warns(UserWarning, match="set aside: 1 smaller than the least size of 3 mm"):
        assert len(as_set(volume, mask)) == 2
    assert len(as_set(volume, mask, least_mm=0)) == 3
    assert len(take_lesions(volume, mask, Taking(least_mm=3.2)).lesions) == 1


def test_the_key_slice_is_by_area_or_by_diameter_and_both_are_said() -> None:
    mask = stack(2, 3)
    mask[3, 5, 0:12] = 1
    mask[2, 4:8, 1:11] = 1  # 48 pixels there, 42 on slice 3
    volume = ct(mask.shape, spacing=(1.0, 1.0, 3.0))
    for by, index in (("area", 2), ("diameter", 3)):
        (lesion,) = as_set(volume, mask, key_slice=by)
        assert lesion.file == f"liver_{index:03d}"
        np.testing.assert_array_equal(lesion.mask("human"), mask[index])
        assert lesion.of_mask is not None
        assert lesion.of_mask.volume_mm3 == 3 * mask.sum()
        assert lesion.of_mask.notes == (ELSEWHERE,)
        there = {2: lesion.of_mask.by_area, 3: lesion.of_mask.by_diameter}[index]
        assert (there.index, (there.long_mm, there.short_mm)) == (index, lesion.diameters_mm)


@settings(max_examples=25, deadline=None)
@given(mask=arrays(np.bool_, (5, 7, 6)), spacing=st.sampled_from([(1.0, 1.0, 2.0), (0.7, 0.9, 1)]))
def test_no_slice_has_a_longer_axis(mask: np.ndarray, spacing: tuple[float, ...]) -> None:
    for lesion in lesions_from_mask(ct(mask.shape, spacing=spacing), mask, key_slice="diameter"):
        labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
        key = int(lesion.file[-3:])
        own = labels == labels[key][lesion.mask("human") == 1][0]
        lengths = [Recist.from_mask(one, spacing).diameters_mm(spacing)[0] if one.any() else 0
                   for one in own]  # fmt: skip
        assert lesion.diameters_mm[0] == pytest.approx(max(lengths))
        assert key == int(np.argmax(np.round(lengths, 6)))


def test_labels_that_touch_are_told() -> None:
    mask = stack(2, 5)
    mask[2, 3:9, 6:9] = 2
    mask[5][mask[5] > 0] = 3
    with pytest.warns(UserWarning, match=f"1 of 2 lesions {LABELLED}"):
        assert len(as_set(ct(mask.shape), mask)) == 2


@pytest.mark.parametrize(
    "wrong", [{"least_mm": -1}, {"least_mm": np.nan}, {"bridge": -1}, {"key_slice": "volume"}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"least size|key slice"):
        Taking(**wrong)


def test_the_fields_gaps_and_specks(shared_data: Path) -> None:
    folder = shared_data / "field" / "gaps_and_specks"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    taken = {
        name: take_lesions(
            *(read_nifti(folder / f"{name}_{kind}.nii.gz") for kind in ("ct", "mask")), Taking()
        )
        for name in ("whole", "gaps", "stray")
    }
    assert [len(one.lesions) for one in taken.values()] == [1, 1, 1]
    assert [len(one.aside) for one in taken.values()] == [0, 0, 3]
    assert taken["stray"].lesions[0].recist == taken["whole"].lesions[0].recist
    assert taken["gaps"].warnings == [f"1 of 1 lesions {JOINED}"]


def test_a_nodule_is_longer_on_another_slice(shared_data: Path) -> None:
    """As pyradiomics' Maximum2DDiameterSlice says."""
    ct_and_mask = [
        read_nifti(shared_data / "lidc" / f"LIDC-IDRI-0002_{kind}.nii.gz")
        for kind in ("ct", "mask_consensus")
    ]
    for by, index, long in (("area", 17, 28.61), ("diameter", 21, 30.95)):
        (lesion,) = as_set(ct_and_mask[0], ct_and_mask[1], key_slice=by)
        assert lesion.file == f"LIDC-IDRI-0002_ct_{index:03d}"
        assert lesion.diameters_mm[0] == pytest.approx(long, abs=0.005)
