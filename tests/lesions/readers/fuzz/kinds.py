"""Every kind of input that is damaged: how one is written, and how it is read."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.lesions.prepared import fuzz as prepared
from tests.lesions.readers.fuzz import (
    bombs,
    checkpoints,
    dicom,
    grids,
    mlflow_runs,
    nifti,
    png,
    rows,
)


class Kind(NamedTuple):
    """One kind of input.

    write: puts a damaged input into an empty folder; the same for the same chance.
    read: how many parts of it are accepted, and the reasons why others are not; or InputError.
    """

    write: Callable[[Random, Path], None]
    read: Callable[[Path], tuple[int, list[str]]]


def _file(
    images: Callable[[], list[bytes]], damage: Callable[[list[bytes], Random], bytes]
) -> Kind:
    def write(chance: Random, folder: Path) -> None:
        (folder / "image").write_bytes(damage(images(), chance))

    return Kind(write, dicom.read_file)


def _answered(write: Callable[[Random, Path], None]) -> Kind:
    """The same input, called "image", read, measured and written."""

    def written(chance: Random, folder: Path) -> None:
        write(chance, folder)
        for path in folder.glob("mutated*"):
            path.rename(folder / path.name.replace("mutated", "image"))

    def read(folder: Path) -> tuple[int, list[str]]:
        from tests.lesions.readers.fuzz import answers  # with torch, which no other kind needs

        return answers.read(folder)

    return Kind(written, read)


KINDS = {
    "rows of DL_info.csv": Kind(rows.write, rows.read),
    "PNG slices": Kind(png.write_slice, png.read),
    "PNG masks": Kind(png.write_mask, png.read),
    "prepared sets": Kind(prepared.write, prepared.read),
    "NIfTI volumes": Kind(nifti.write_volume, nifti.read_volume),
    "NIfTI masks": Kind(nifti.write_mask, nifti.read_mask),
    "DICOM bytes": _file(dicom.small, dicom.damage_bytes),
    "DICOM tags": _file(dicom.small, dicom.damage_tags),
    "DICOM frames": _file(lambda: dicom.small(compressed=True), dicom.damage_frames),
    "DICOM bombs": _file(list, bombs.damage),
    "DICOM folders": Kind(dicom.write_folder, dicom.read_folder),
    "MLflow tags": Kind(mlflow_runs.write, mlflow_runs.read),
    "checkpoints": Kind(checkpoints.write, checkpoints.read),
    "real DICOM bytes": _file(dicom.real, dicom.damage_bytes),
    "real DICOM tags": _file(dicom.real, dicom.damage_tags),
    "real DICOM frames": _file(lambda: dicom.real(compressed=True), dicom.damage_frames),
    "answers of NIfTI": _answered(nifti.write_volume),
    "answers of MetaImage": _answered(grids.write_metaimage),
    "answers of NRRD": _answered(grids.write_nrrd),
    "answers of archives": _answered(grids.write_archive),
    "answers of PNG": _answered(grids.write_png),
    "answers of DICOM bytes": _answered(_file(grids.slices, dicom.damage_bytes).write),
    "answers of DICOM tags": _answered(_file(grids.slices, dicom.damage_tags).write),
    "answers of DICOM patients": _answered(_file(grids.slices, grids.damage_patient).write),
}
