"""The slice that a prompt means: the same pixels of the patient, however they are stored."""

import re
from itertools import product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from lesions import InputError
from lesions.prompts import PROMPTS, Box, Click, Marks, Prompt
from lesions.readers.png import encode_slice
from lesions.readers.prompted import PromptedSlice, read_prompted
from tests.lesions.readers.dicom_files import HU, SPACING, enhanced, save, save_all, series

DEPTH, HEIGHT, WIDTH = HU.shape  # 5, 6, 7
# In display order; the box reaches beyond the image, and its mirror image too.
SHOWN: dict[str, Prompt] = {
    "click": Click(at=(1.25, 4)),
    "box": Box(low=(2.5, -1), high=(8, 3)),
    "marks": Marks.from_points([(1, 2), (5, 2.5), (3, 1), (2.5, 4)]),
}
KINDS = pytest.mark.parametrize("shown", SHOWN.values(), ids=list(SHOWN))
X, Y = (1, 0, 0), (0, 1, 0)
TURNS = [
    (tuple(int(first * part) for part in along), tuple(int(second * part) for part in down))
    for (along, down), first, second in product(((X, Y), (Y, X)), (1, -1), (1, -1))
]


def stored(points: NDArray[np.float64], row: tuple[int, ...], column: tuple[int, ...]):
    """(column, row) of a frame with these directions, of points (N, 2) in display order."""
    size = (WIDTH, HEIGHT)
    found = [
        points[:, axis] if sum(direction) > 0 else size[axis] - 1 - points[:, axis]
        for direction in (row, column)
        for axis in [int(np.argmax(np.abs(direction)))]
    ]
    return np.column_stack(found)


@KINDS
@pytest.mark.parametrize(("row", "column"), TURNS)
def test_a_frame_of_any_orientation(
    tmp_path: Path, shown: Prompt, row: tuple[int, ...], column: tuple[int, ...]
) -> None:
    """What is turned or mirrored in the frame is upright again, and in its kind's order."""
    save_all(series(HU, row, column), tmp_path / "ct")
    asked = shown.from_points(stored(shown.points, row, column))
    seen = read_prompted(tmp_path / "ct", asked, 3, None)
    assert np.array_equal(seen.hu, HU[3])
    np.testing.assert_allclose(seen.prompt.points, shown.points, atol=1e-12)
    assert type(seen.prompt) is type(shown)
    back = seen.points_in_image(seen.prompt.points)[:, :2]
    assert shown.from_points(back).written == asked.written
    assert (seen.kind, seen.index, seen.spacing) == ("dicom", 3, pytest.approx(SPACING))


@KINDS
def test_a_frame_of_several(tmp_path: Path, shown: Prompt) -> None:
    seen = read_prompted(save(enhanced(), tmp_path / "ct.dcm"), shown, 1, None)
    assert seen.prompt == shown
    assert seen.origin is not None
    assert seen.origin.frame == 4, "stored from head to feet"


@KINDS
@pytest.mark.parametrize("ways", list(product((1, -1), repeat=3)))
def test_nifti_is_asked_in_display_order(
    tmp_path: Path, shown: Prompt, ways: tuple[int, ...]
) -> None:
    """The world points right, front, head; the file's axes wherever they like."""
    voxels = HU.transpose(2, 1, 0)[:: ways[0], :: ways[1], :: ways[2]].transpose(1, 2, 0)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (world, size) in enumerate(((1, -0.8), (2, 2.5), (0, -0.7))):
        affine[world, axis] = size * ways[world]
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "ct.nii.gz")
    seen = read_prompted(tmp_path / "ct.nii.gz", shown, 3, None)
    assert np.array_equal(seen.hu, HU[3])
    assert seen.prompt == shown
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2, 5] = 1
    (place,) = np.argwhere(seen.mask_in_image(mask))
    assert voxels[tuple(place)] == HU[3, 2, 5]


def png(folder: Path) -> Path:
    (folder / "slice.png").write_bytes(encode_slice(HU[2]))
    return folder / "slice.png"


@KINDS
def test_a_png_is_as_it_is(tmp_path: Path, shown: Prompt) -> None:
    seen = read_prompted(png(tmp_path), shown, None, (0.7, 0.8))
    assert seen.prompt == shown
    assert np.array_equal(seen.hu, HU[2])
    case = seen.case((-160, 240))
    assert (case.volume, case.key) == (None, 0)
    assert (case.spacing, case.shape) == ((0.7, 0.8, 1.0), (HEIGHT, WIDTH))


def test_a_case_has_the_slices_around(tmp_path: Path) -> None:
    save_all(series(), tmp_path / "ct")
    seen: PromptedSlice = read_prompted(tmp_path / "ct", SHOWN["click"], 3, None)
    case = seen.case((-160, 240))
    assert (case.window, case.prompt, case.key) == ((-160, 240), SHOWN["click"], 3)
    assert case.volume is not None
    assert np.array_equal(case.volume, HU)
    assert np.array_equal(case.volume[case.key], case.slice_hu)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (Click(at=(7, 3)), "the click 7,3 lies outside its 7 × 6 pixels"),
        (Click(at=(3, -0.5)), "the click 3,-0.5 lies outside its 7 × 6 pixels"),
        (Box(low=(4, 1), high=(11, 3)), "the middle of the box 4,1,11,3 lies outside its 7 × 6"),
        (Box(low=(-9, -9), high=(13, 13)), "the box -9,-9,13,13 is more than 3 times as large"),
        (
            Marks.from_points([(1, 2), (7, 2), (3, 1), (3, 4)]),
            "the marks 1,2,7,2,3,1,3,4 lie outside its 7 × 6 pixels",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["png", "dicom", "nifti"])
def test_a_prompt_beside_the_image(tmp_path: Path, prompt: Prompt, said: str, kind: str) -> None:
    image = tmp_path / "ct.nii"
    if kind == "png":
        image = png(tmp_path)
    elif kind == "nifti":
        voxels = HU[2:3, ::-1, ::-1].transpose(2, 1, 0)
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([0.7, 0.8, 2.5, 1])), image)
    else:
        image = save(series()[2], tmp_path / "ct.dcm")
    spacing = (0.7, 0.8) if kind == "png" else None
    with pytest.raises(InputError, match=re.escape(f"{image}: {said}")):
        read_prompted(image, prompt, None, spacing)


def test_beside_a_turned_frame_is_beside_its_stored_pixels(tmp_path: Path) -> None:
    """Stored it has 6 columns of 7 rows: (2, 6) is on it, (6, 2) only on display."""
    save_all(series(HU, Y, X), tmp_path / "ct")
    assert read_prompted(tmp_path / "ct", Click(at=(2, 6)), 0, None).prompt == Click(at=(6, 2))
    with pytest.raises(InputError, match="the click 6,2 lies outside its 6 × 7 pixels"):
        read_prompted(tmp_path / "ct", Click(at=(6, 2)), 0, None)


def test_every_kind_is_tried_here() -> None:
    assert list(SHOWN) == list(PROMPTS)


@pytest.mark.parametrize(
    ("index", "spacing", "said"),
    [
        (None, None, "a PNG does not say its pixel spacing (add --spacing X Y (mm))"),
        (None, (0, 1), "--spacing is (0, 1); both must be above 0"),
        (1, (1, 1), "there is no slice 1: a PNG has slice 0 alone"),
    ],
)
def test_what_a_png_is_not_asked(
    tmp_path: Path, index: int | None, spacing: tuple[float, float] | None, said: str
) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        read_prompted(png(tmp_path), SHOWN["click"], index, spacing)


@pytest.mark.parametrize(
    ("index", "spacing", "said"),
    [
        (None, None, "has 5 slices (say which: --slice 0…4)"),
        (5, None, "there is no slice 5 (it has 0…4, from the feet)"),
        (-1, None, "there is no slice -1"),
        (1, (1, 1), "the image says its spacing itself: --spacing is for PNG"),
    ],
)
def test_what_a_volume_is_not_asked(
    tmp_path: Path, index: int | None, spacing: tuple[float, float] | None, said: str
) -> None:
    save_all(series(), tmp_path / "ct")
    with pytest.raises(InputError, match=re.escape(said)):
        read_prompted(tmp_path / "ct", SHOWN["click"], index, spacing)


def test_an_image_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_prompted(tmp_path / "no.png", SHOWN["click"], None, None)
