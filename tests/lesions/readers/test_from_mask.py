"""Lesions from 3D masks: components, key slices, measurements, and whose pixels are whose."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lesions import InputError, Recist, Volume, read_nifti
from lesions.labels import GREY, NOT_WHOLE, UNCERTAIN_ALONE
from lesions.readers.from_mask import lesions_from_mask


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
    (lesion,) = lesions_from_mask(ct(mask.shape), mask)
    np.testing.assert_array_equal(lesion.mask("human") == 1, mask[0] > 0)
    mask[0, 1:3, 5:7] = 255
    with pytest.raises(InputError, match=GREY):
        lesions_from_mask(ct(mask.shape), mask)
    mask[mask == 7] = 1
    (lesion,) = lesions_from_mask(ct(mask.shape), mask)
    np.testing.assert_array_equal(lesion.mask("human"), mask[0])
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
