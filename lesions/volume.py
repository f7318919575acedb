"""A CT volume: HU, geometry, and where it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# 1 GiB as int16: 2,048 slices of 512 × 512, twice the longest CT; a header may ask for any number.
MOST_VOXELS = 1 << 29


@dataclass(frozen=True, kw_only=True)
class SliceOrigin:
    """The DICOM image that a slice was read from.

    Attributes:
        file: its file.
        frame: its frame there, 1 = the first, as DICOM counts.
        instance: the file's SOPInstanceUID.
        thickness: mm, the distance to the next slice where the file does not say; None where
            nobody says.
    """

    file: Path
    frame: int
    instance: str
    thickness: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """Axial slices in display order: rows run to the back, columns to the patient's left.

    Attributes:
        hu: (D, H, W), slices from feet to head; HU as int16, or the labels of a label volume.
        spacing: (x, y, z) mm.
        source: the file it was read from, or the innermost folder that holds its files.
        affine: (4, 4), voxel index (x, y, z, 1) → patient position (left, back, head, 1) in mm,
            DICOM's axes; None where nobody says.
        patient, study, series, frame_of_reference: DICOM's PatientID and UIDs, "" without.
        slices: the origin of each slice, () when it is no DICOM.
        warnings: what of its files had to be chosen or left out to read it, in sentences.
    """

    hu: NDArray[Any]
    spacing: tuple[float, float, float]
    source: Path
    affine: NDArray[np.float64] | None = None
    patient: str = ""
    study: str = ""
    series: str = ""
    frame_of_reference: str = ""
    slices: tuple[SliceOrigin, ...] = ()
    warnings: tuple[str, ...] = ()
