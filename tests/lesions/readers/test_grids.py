"""MetaImage and NRRD: the same volume as the NIfTI or DICOM of it, or refused by name."""

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from lesions import Click, InputError, Volume, lesions_from_mask, read_volume
from lesions.phantom.backgrounds import find_scans, read_scan
from lesions.readers.nifti import TO_LEFT_BACK_HEAD
from lesions.readers.prompted import read_prompted
from lesions.writers.masks import write_grid_mask
from tests.lesions.limits import cost
from tests.lesions.readers.dicom_files import series
from tests.lesions.readers.fuzz.png import zeros
from tests.lesions.readers.grid_files import metaimage, nrrd, save

BY_SIMPLEITK = Path(__file__).parent / "by_simpleitk"  # 2.5.7; see `test_files_of_simpleitk`
HU = np.arange(24, dtype=np.int16).reshape(2, 3, 4) * 37 - 500  # (D, H, W)
XYZ = HU.transpose(2, 1, 0)
AFFINE = np.array([[0.7, 0, 0, -10], [0, 0.8, 0, 20], [0, 0, 5, 30], [0, 0, 0, 1]])
WRITERS: dict[str, Callable[..., bytes]] = {".mha": metaimage, ".nrrd": nrrd}


def same(volume: Volume, other: Volume) -> None:
    np.testing.assert_array_equal(volume.hu, other.hu)
    assert volume.hu.dtype == np.int16
    assert volume.spacing == pytest.approx(other.spacing, abs=1e-5)
    assert volume.affine is not None
    assert other.affine is not None
    np.testing.assert_allclose(volume.affine, other.affine, atol=1e-4)


def stored(order: tuple[int, ...], flips: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """HU with its axes in another order and direction, and the affine that leads to its place."""
    voxels, affine = XYZ.transpose(order), AFFINE[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip < 0:
            affine[:, 3] += affine[:, axis] * (voxels.shape[axis] - 1)
            affine[:, axis] *= -1
    return np.flip(voxels, [axis for axis in range(3) if flips[axis] < 0]), affine


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_axis_order_is_what_nifti_has(tmp_path: Path, order: tuple[int, ...]) -> None:
    for flips in product((1, -1), repeat=3):
        voxels, affine = stored(order, flips)
        nibabel.save(nibabel.Nifti1Image(voxels, TO_LEFT_BACK_HEAD @ affine), tmp_path / "ct.nii")
        wanted = read_volume(tmp_path / "ct.nii")
        np.testing.assert_array_equal(wanted.hu, HU)
        for ending, written in WRITERS.items():
            for packed in (False, True):
                path = save(tmp_path / f"ct{ending}", written(voxels, affine, packed))
                same(read_volume(path), wanted)
                assert read_volume(path).warnings == ()


@pytest.mark.parametrize("geometry", ["axial", "turned"])
def test_files_of_simpleitk(geometry: str) -> None:
    """Eight forms of one image, written by it: NIfTI too, whose reader is tested by itself.

    Spacing 0.7, 0.8, 2.5; origin −10.5, 20.25, −30; "turned" by a permutation and half a degree.
    Where its voxels lie SimpleITK said by TransformIndexToPhysicalPoint.
    """
    files = [one for one in sorted(BY_SIMPLEITK.glob(f"{geometry}_*")) if not one.match("*raw")]
    assert len(files) == 8
    first, *others = map(read_volume, files)
    for other in others:
        same(other, first)
        assert other.warnings == ()
    places = {
        "axial": ((0, 0, 0), (-10.5, 20.25, -30.0), (3, 2, 1), (-8.4, 21.85, -27.5)),
        "turned": ((0, 0, 0), (-12.99990, 20.22818, -31.6), (1, 3, 2), (-10.51832, 22.34992, -30)),
    }
    assert first.affine is not None
    one, there, last, end = places[geometry]
    np.testing.assert_allclose((first.affine @ [*one, 1])[:3], there, atol=1e-4)
    np.testing.assert_allclose((first.affine @ [*last, 1])[:3], end, atol=1e-4)


def test_a_series_as_metaimage_and_nrrd(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()
    for number, image in enumerate(series(HU)):
        image.save_as(tmp_path / "dicom" / f"{number}", enforce_file_format=True)
    dicom = read_volume(tmp_path / "dicom")
    for ending, written in WRITERS.items():
        path = save(tmp_path / f"ct{ending}", written(dicom.hu.transpose(2, 1, 0), dicom.affine))
        same(read_volume(path), dicom)


def test_voxels_beside_the_header(tmp_path: Path) -> None:
    (tmp_path / "ct.raw").write_bytes(b"skip" + XYZ.tobytes(order="F"))
    mhd = metaimage(XYZ, AFFINE, ElementDataFile="ct.raw", HeaderSize="-1")
    nhdr = nrrd(XYZ, AFFINE, data_file="ct.raw", byte_skip="4")
    for path in (save(tmp_path / "ct.mhd", mhd), save(tmp_path / "ct.nhdr", nhdr)):
        np.testing.assert_array_equal(read_volume(path).hu, HU)


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("way", ["absolute", "above", "link", "windows", "absent", "pipe", "NUL"])
def test_voxels_elsewhere_are_never_opened(tmp_path: Path, ending: str, way: str) -> None:
    """What a header names must not make any other file of the machine be read."""
    secret = save(tmp_path / "secret.raw", XYZ.tobytes(order="F"))
    folder = tmp_path / "given"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.raw").symlink_to(secret)
    name = {
        "absolute": str(secret), "above": "sub/../../secret.raw", "link": "link.raw",
        "windows": "..\\secret.raw", "absent": "gone.raw", "pipe": "/dev/zero", "NUL": "a\0b",
    }[way]  # fmt: skip
    field = {"ElementDataFile": name} if ending == ".mha" else {"data_file": name}
    path = save(folder / f"ct{ending}", WRITERS[ending](XYZ, AFFINE, **field))
    with pytest.raises(InputError, match=r"out of its own folder|leads out|not beside it") as error:
        read_volume(path)
    assert error.value.remedy


def of(written: Callable[..., bytes], **fields: str | None) -> bytes:
    return written(XYZ, AFFINE, **fields)


SAID: dict[str, tuple[str, bytes, str]] = {
    "no directions": (".mha", of(metaimage, TransformMatrix=None), "taken to run left, back"),
    "another orientation": (
        ".mha", of(metaimage, AnatomicalOrientation="LAI"), "is LAI, the directions are RAI",
    ),
    "another size": (".mha", of(metaimage, ElementSize="1 1 5"), "the spacing counts"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_had_to_be_chosen_is_said(tmp_path: Path, case: str) -> None:
    ending, content, words = SAID[case]
    (said,) = read_volume(save(tmp_path / f"ct{ending}", content)).warnings
    assert words in said


def test_a_note_is_no_field(tmp_path: Path) -> None:
    noted = of(nrrd).replace(b"endian", b"space:=right-anterior-superior\n# sizes: 1 1 1\nendian")
    np.testing.assert_array_equal(read_volume(save(tmp_path / "ct.nrrd", noted)).hu, HU)


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "no spacing": (".mha", of(metaimage, ElementSpacing=None), "ElementSpacing is missing"),
    "no size": (".mha", of(metaimage, ElementSpacing="0.7 0 5"), "is not positive"),
    "time": (".mha", of(metaimage, NDims="4"), "has 4 axes, not 3"),
    "text": (".mha", of(metaimage, BinaryData="False"), "BinaryData is False, not True"),
    "colours": (".mha", of(metaimage, ElementNumberOfChannels="3"), "NumberOfChannels is 3, not 1"),
    "a slope": (".mha", of(metaimage, ElementToIntensityFunctionSlope="2"), "Slope is 2, not 1"),
    "micrometres": (".mha", of(metaimage, DistanceUnits="um"), "DistanceUnits is um, not mm"),
    "far away": (".mha", of(metaimage, Offset="0 0 1e19"), "size or place is beyond a kilometre"),
    "huge": (".nrrd", of(nrrd, space_directions="(1e308,0,0) (0,1,0) (0,0,1)"), "beyond a kilomet"),
    "a nameless file": (".mhd", of(metaimage, ElementDataFile=""), "are not beside it: ''"),
    "an empty word": (".mha", of(metaimage, TransformMatrix=""), "is '', not 9 numbers"),
    "no order": (".nrrd", of(nrrd, endian=""), "its endian is '', not little or big"),
    "two orders": (".mha", of(metaimage, ElementByteOrderMSB="True"), "contradict each other"),
    "two places": (".mha", of(metaimage, Position="0 0 0"), "Offset and Position contradict"),
    "no directions": (".mha", of(metaimage, TransformMatrix="2 0 0 0 2 0 0 0 2"), "not one long"),
    "words": (".mha", of(metaimage, DimSize="4 3 two"), "DimSize is '4 3 two', not 3 numbers"),
    "a list": (".mha", of(metaimage, ElementDataFile="LIST"), "lie in several files"),
    "a pattern": (".mha", of(metaimage, ElementDataFile="s%03d.raw 1 9 1"), "lie in several files"),
    "cut off": (".mha", of(metaimage)[:-1], "cut off: too short for 4 × 3 × 2 voxels"),
    "cut off, packed": (".mha", metaimage(XYZ, AFFINE, True)[:-9], "cut off"),
    "a header alone": (".mha", of(metaimage)[:60], "is no field|does not end with ElementDataFile"),
    "tilted": (".mha", of(metaimage, TransformMatrix="1 0 0 0 .98 .198 0 -.198 .98"), "tilted by"),
    "NIfTI": (".mha", nibabel.Nifti1Image(XYZ, AFFINE).to_bytes(), "it is a NIfTI file"),
    "no space": (".nrrd", of(nrrd, space=None), "no orientation: it names no space"),
    "a scanner's space": (".nrrd", of(nrrd, space="scanner-xyz"), "its space is scanner-xyz"),
    "no directions of NRRD": (".nrrd", of(nrrd, space_directions=None), "three space directions"),
    "two spacings": (".nrrd", of(nrrd, spacings="1 1 5"), "spacings and its space directions"),
    "metres": (".nrrd", of(nrrd, space_units='"m" "m" "m"'), "lengths are in m m m, not mm"),
    "hexadecimal": (".nrrd", of(nrrd, encoding="hex"), "its encoding is 'hex'"),
    "said twice": (".nrrd", of(nrrd).replace(b"kinds:", b"space: LPS\nkinds:"), "Duplicate header"),
    "other sizes": (".nrrd", of(nrrd, dimension="4"), "dimension is 4, its sizes are 3"),
    "layers": (".nrrd", of(nrrd, dimension="4", sizes="2 4 3 1"), "has 4 axes, not 3"),
    "a list of NRRD": (".nrrd", of(nrrd, data_file="LIST"), "lie in several files"),
    "cut off NRRD": (".nrrd", of(nrrd)[:-1], "cut off: too short for 4 × 3 × 2 voxels"),
    "cut off, packed NRRD": (".nrrd", nrrd(XYZ, AFFINE, True)[:-9], "cut off"),
    "DICOM": (".nrrd", bytes(128) + b"DICM", "no readable NRRD: it is a DICOM file"),
    "empty": (".nrrd", b"", "no readable NRRD: it is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    ending, content, reason = REFUSED[case]
    path = save(tmp_path / f"ct{ending}", content)
    with pytest.raises(InputError, match=reason) as error:
        read_volume(path)
    assert error.value.file == path


def test_a_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    size = {"CompressedData": "True", "DimSize": "800 800 800", "ElementType": "MET_DOUBLE"}
    header = of(metaimage, **size)[: -2 * XYZ.size]
    path = save(tmp_path / "ct.mha", header + zeros(300 << 20)[:-99])
    took, said = cost(path, "from lesions import read_volume", "read_volume(path)")
    assert "too short for 800 × 800 × 800" in said
    assert took < 100


BOMBS = {
    "bzip2": (of(nrrd, sizes="40000 40000 40000", encoding="bzip2"), "more than 536870912"),
    "gzip": (of(nrrd, sizes="9000 9000 9", encoding="gzip"), "too short for 9000 × 9000 × 9"),
    "bytes to skip": (of(nrrd, encoding="bzip2", byte_skip="4000000000"), "byte skip is 4"),
    "lines to skip": (of(nrrd, line_skip="999"), "no such lines"),
    "lines": (b"NRRD0004\n" + b"#\n" * 50_000, "header has more than"),
    "a long line": (b"NRRD0004\n" + b"#" * 2_000_000 + b"\n#\n", "header has more than"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_size_is_checked_before_anything_is_inflated(tmp_path: Path, case: str) -> None:
    content, reason = BOMBS[case]
    with pytest.raises(InputError, match=reason):
        read_volume(save(tmp_path / "ct.nrrd", content))


@pytest.mark.parametrize("ending", WRITERS)
def test_masks_too(tmp_path: Path, ending: str) -> None:
    labels = (HU > -60).astype(np.uint8)
    written: Any = WRITERS[ending]
    image = read_volume(save(tmp_path / f"ct{ending}", written(XYZ, AFFINE)))
    path = save(tmp_path / f"mask{ending}", written(labels.transpose(2, 1, 0), AFFINE, True))
    (lesion,) = lesions_from_mask(image, read_volume(path))
    assert lesion.file == "ct_001"
    moved = save(path, written(labels.transpose(2, 1, 0), AFFINE + np.eye(4) * 0.5))
    with pytest.raises(InputError, match=r"the mask's voxels are"):
        lesions_from_mask(image, read_volume(moved))


@pytest.mark.parametrize("ending", WRITERS)
def test_an_answers_mask_lies_where_the_image_does(tmp_path: Path, ending: str) -> None:
    """In the image's own grid, and where nibabel and SimpleITK put it: at the same millimetres."""
    voxels, affine = stored((2, 0, 1), (1, -1, -1))
    path = save(tmp_path / f"ct{ending}", WRITERS[ending](voxels, affine))
    seen = read_prompted(path, Click(at=(1, 1)), 1, None)
    assert seen.kind == {".mha": "metaimage", ".nrrd": "nrrd"}[ending]
    mask = np.zeros(HU.shape[1:], np.uint8)
    mask[1, 2] = 1
    assert seen.grid is not None
    write_grid_mask(seen.mask_in_image(mask), seen.grid, tmp_path / "mask.nii.gz")
    image: Any = nibabel.load(tmp_path / "mask.nii.gz")  # type: ignore[attr-defined]
    assert image.shape == voxels.shape
    ((one,), (two,), (three,)) = np.nonzero(np.asarray(image.dataobj))
    assert voxels[one, two, three] == HU[1, 1, 2]
    there = image.affine @ [one, two, three, 1]
    np.testing.assert_allclose(there, TO_LEFT_BACK_HEAD @ AFFINE @ [2, 1, 1, 1], atol=1e-4)
    back = read_volume(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(back.hu[1], mask)


def test_a_grid_longer_than_nifti_1_counts(tmp_path: Path) -> None:
    mask = np.zeros((40_000, 1, 2), np.uint8)
    mask[39_999, 0, 1] = 1
    write_grid_mask(mask, np.eye(4), tmp_path / "mask.nii.gz")
    assert read_volume(tmp_path / "mask.nii.gz").hu[1, 0, 39_999] == 1


def test_a_phantoms_backgrounds_too(tmp_path: Path) -> None:
    hu = np.where(XYZ > 0, 500, -900).astype(np.int16)
    scans = [save(tmp_path / f"ct{one}", write(hu, AFFINE)) for one, write in WRITERS.items()]
    save(tmp_path / "mask.nrrd", nrrd((hu > 0).astype(np.uint8), AFFINE))
    (tmp_path / "notes.txt").touch()
    assert find_scans(tmp_path) == tuple(scans)
    np.testing.assert_array_equal(read_scan(scans[0]).hu, read_scan(scans[1]).hu)
