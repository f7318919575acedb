"""The slice that a prompt means, in any image that we read, and the way back to its own pixels."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.prompts import Case, Prompt
from lesions.readers.bounded import read_bytes
from lesions.readers.dicom.archives import is_archive
from lesions.readers.dicom.header import read_header
from lesions.readers.hounsfield import check_hu, not_hu
from lesions.readers.png import decode_slice
from lesions.readers.volumes import grid_of, open_grid, read_volumes
from lesions.volume import SliceOrigin, Volume

Volumes = Callable[[Path], list[Volume]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptedSlice:
    """A slice in display order, and where its pixels lie in the image.

    Attributes:
        image: the file or folder.
        kind: "png", "dicom", or the format of a grid of voxels: "nifti", "metaimage", "nrrd".
        hu: (H, W), display order: rows to the back, columns to the patient's left; a PNG as it is.
        spacing: (x, y, z) mm.
        index: the slice, 0 = the lowest.
        prompt: in `hu`'s pixels.
        to_image: (4, 4), (x, y, index, 1) of `hu` → the image's own indices: (column, row, 0, 1)
            of a PNG or a DICOM frame, (i, j, k, 1) of a grid.
        image_shape: rows and columns of a PNG or a DICOM frame, all axes of a grid.
        grid: (4, 4), a grid's (i, j, k, 1) → patient position (left, back, head, 1) in mm; None of
            a PNG or a DICOM frame.
        volume: (D, H, W), all slices in display order; None of a PNG.
        origin: the DICOM frame.
        origins: those of all slices.
        warnings: the volume's.
    """

    image: Path
    kind: str
    hu: NDArray[np.int16]
    spacing: tuple[float, float, float]
    index: int
    prompt: Prompt
    to_image: NDArray[np.float64]
    image_shape: tuple[int, ...]
    grid: NDArray[np.float64] | None = None
    volume: NDArray[np.int16] | None = None
    origin: SliceOrigin | None = None
    origins: tuple[SliceOrigin, ...] = ()
    warnings: tuple[str, ...] = ()

    def case(self, window: tuple[float, float]) -> Case:
        """What a system sees of it; `window` is (low, high) HU."""
        return Case(
            slice_hu=self.hu, window=window, spacing=self.spacing, prompt=self.prompt,
            volume=self.volume, key=0 if self.volume is None else self.index,
        )  # fmt: skip

    def points_in_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2), (x, y) of `hu`, in the image's own indices: (N, 3)."""
        count = len(points)
        indices = np.column_stack([points, np.full(count, self.index), np.ones(count)])
        return np.asarray((indices @ self.to_image.T)[:, :3])

    def mask_in_image(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask (H, W) of `hu` in the image's own geometry, `image_shape`."""
        found = np.zeros(self.image_shape, np.uint8)
        rows, columns = np.nonzero(mask)
        points = np.column_stack([columns, rows]).astype(np.float64)
        first, second, third = np.rint(self.points_in_image(points)).astype(int).T
        if self.grid is not None:
            found.reshape(self.image_shape[:3])[first, second, third] = mask[rows, columns]
        else:
            found[second, first] = mask[rows, columns]
        return found


def read_prompted(
    image: Path,
    prompt: Prompt,
    index: int | None,
    spacing: tuple[float, float] | None,
    volumes: Volumes = read_volumes,
    *,
    values_are_hu: bool = False,
) -> PromptedSlice:
    """The slice of a 16-bit PNG, or of a volume as `read_volumes` reads it.

    Args:
        image: the file or folder.
        prompt: its points are (column, row), 0 = the first, of the PNG's or the stored DICOM
            frame's pixels, as viewers show them. Of a grid (NIfTI, MetaImage, NRRD), which says
            nothing of rows and columns: of the axial slice in display order, rows to the patient's
            back and columns to the left.
        index: the slice, 0 = the lowest, whatever the files are called and however they are
            stored; None where there is one alone.
        spacing: (x, y) mm, of a PNG and of nothing else.
        volumes: `read_volumes`, or what remembers an image for its next prompt.
        values_are_hu: whatever their range says.

    Raises:
        InputError: the image cannot be read, the slice is absent, the prompt lies outside (see
            its `check_on`), a spacing is missing or not wanted, or its values are no HU.
    """
    seen = _read(image, prompt, index, spacing, volumes)
    # The slice alone mostly tells that they are; where it does not, the volume may.
    if not values_are_hu and not_hu(seen.hu):
        check_hu(seen.hu if seen.volume is None else seen.volume, image)
    return seen


def _read(
    image: Path,
    prompt: Prompt,
    index: int | None,
    spacing: tuple[float, float] | None,
    volumes: Volumes,
) -> PromptedSlice:
    """See `read_prompted`."""
    if not image.exists():
        raise InputError("there is no such file", file=image)
    if image.is_file() and image.name.lower().endswith(".png"):
        return _png(image, prompt, index, spacing)
    if spacing is not None:
        raise InputError("the image says its spacing itself: --spacing is for PNG", file=image)
    if grid_of(image):
        return _grid(image, prompt, index, volumes)
    return _dicom(image, prompt, index, volumes)


def _png(
    image: Path, prompt: Prompt, index: int | None, spacing: tuple[float, float] | None
) -> PromptedSlice:
    if spacing is None:
        raise InputError(
            "a PNG does not say its pixel spacing",
            file=image,
            remedy="add --spacing X Y (mm)",
        )
    if not all(np.isfinite(size) and size > 0 for size in spacing):
        raise InputError(f"--spacing is {spacing}; both must be above 0")
    if index:
        raise InputError(f"there is no slice {index}: a PNG has slice 0 alone", file=image)
    try:
        hu = decode_slice(read_bytes(image))
    except InputError as error:
        raise InputError(error.reason, file=image, remedy=error.remedy) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=image) from None
    _check(prompt, hu.shape, image)
    return PromptedSlice(
        image=image, kind="png", hu=hu, spacing=(*spacing, 1.0), index=0, prompt=prompt,
        to_image=np.eye(4), image_shape=hu.shape,
    )  # fmt: skip


def _grid(image: Path, prompt: Prompt, index: int | None, volumes: Volumes) -> PromptedSlice:
    (volume,) = volumes(image)
    at = _index(volume, index, image)
    hu = volume.hu[at]
    _check(prompt, hu.shape, image)
    with open_grid(image) as stored:
        shape, affine = stored.shape, stored.affine
    return PromptedSlice(
        image=image, kind=grid_of(image), hu=hu, spacing=volume.spacing, index=at, prompt=prompt,
        to_image=np.rint(np.linalg.inv(affine) @ _affine(volume)), image_shape=shape, grid=affine,
        volume=volume.hu, warnings=volume.warnings,
    )  # fmt: skip


def _dicom(image: Path, prompt: Prompt, index: int | None, volumes: Volumes) -> PromptedSlice:
    found = volumes(image)
    if len(found) > 1:
        folders = ", ".join(sorted({os.path.relpath(volume.source, image) for volume in found}))
        take = "unpack it, and take" if is_archive(image) else "take"
        raise InputError(
            f"holds {len(found)} CT series, not one", file=image, remedy=f"{take} one of {folders}"
        )
    (volume,) = found
    at = _index(volume, index, image)
    origin = volume.slices[at]
    frame = read_header(origin.file)[origin.frame - 1]
    stored = np.eye(4)
    stored[:3, :2] = frame.directions.T * frame.spacing
    stored[:3, 2], stored[:3, 3] = frame.normal, frame.position
    _check(prompt, frame.format.shape, image)
    # Both are the same pixels turned by right angles: whole numbers but for the rounding of mm.
    in_plane = np.rint((np.linalg.inv(_affine(volume)) @ stored)[:2][:, [0, 1, 3]])
    back = np.zeros((4, 4))
    back[:2, :2] = np.linalg.inv(in_plane[:, :2])
    back[:2, 3] = -back[:2, :2] @ in_plane[:, 2]
    back[3, 3] = 1
    # The turned points need not come in their kind's order.
    turned = prompt.from_points(prompt.points @ in_plane[:, :2].T + in_plane[:, 2])
    return PromptedSlice(
        image=image, kind="dicom", hu=volume.hu[at], spacing=volume.spacing, index=at,
        prompt=turned, to_image=back, image_shape=frame.format.shape, volume=volume.hu,
        origin=origin, origins=volume.slices, warnings=volume.warnings,
    )  # fmt: skip


def _affine(volume: Volume) -> NDArray[np.float64]:
    if volume.affine is None:
        raise ValueError(f"{volume.source} has no affine")
    return volume.affine


def _index(volume: Volume, index: int | None, image: Path) -> int:
    count = len(volume.hu)
    if index is None:
        if count > 1:
            raise InputError(
                f"has {count} slices", file=image, remedy=f"say which: --slice 0…{count - 1}"
            )
        return 0
    if not 0 <= index < count:
        raise InputError(
            f"there is no slice {index}", file=image, remedy=f"it has 0…{count - 1}, from the feet"
        )
    return index


def _check(prompt: Prompt, shape: tuple[int, ...], image: Path) -> None:
    try:
        prompt.check_on((shape[0], shape[1]))
    except InputError as error:
        raise InputError(error.reason, file=image, remedy=error.remedy) from None
