"""A CT with two lesions, as files of every kind that `platform.prepare` pairs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from lesions.readers.nifti import TO_LEFT_BACK_HEAD
from lesions.writers.source_image import FILED_BY
from tests.lesions.readers.dicom_files import ORIGIN, SPACING

SHAPE = (8, 50, 40)


def two_lesions() -> NDArray[np.uint8]:
    """(D, H, W): 1 is largest on slice 2, 9 × 12 pixels (rows first); 2 is 15 × 10 on slice 5."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:4, 5:12, 5:15] = 1
    mask[2, 4:13, 4:16] = 1
    mask[5, 30:45, 25:35] = 2
    return mask


def ct_of(mask: NDArray[np.uint8]) -> NDArray[np.int16]:
    """HU (D, H, W): lesions of 100 HU in noise."""
    noise = np.random.default_rng(1).normal(0, 10, mask.shape)
    return np.asarray(noise + 100 * (mask > 0), np.int16)


def save_nifti(path: Path, display: NDArray[Any], shift: float = 0.0) -> Path:
    """Voxels (D, H, W) in display order where `dicom_files.series` puts them; `shift` in mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = np.add(ORIGIN, shift)
    image = nibabel.Nifti1Image(display.transpose(2, 1, 0), TO_LEFT_BACK_HEAD @ affine)  # type: ignore[attr-defined]
    nibabel.save(image, path)  # type: ignore[attr-defined]
    return path


def seg_of(datasets: Sequence[Dataset], stored: NDArray[Any], **options: Any) -> Any:
    """A SEG of the segments 1, 2, … of `stored` (D, rows, columns), as the series stores it."""
    for dataset in datasets:
        for keyword in FILED_BY:
            if keyword not in dataset:
                setattr(dataset, keyword, "")
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Lesion {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number in range(1, int(stored.max()) + 1)
    ]
    given: dict[str, Any] = {
        "segmentation_type": highdicom.seg.SegmentationTypeValues.BINARY,
        "segment_descriptions": segments,
    }
    return highdicom.seg.Segmentation(
        source_images=list(datasets),
        pixel_array=stored,
        series_instance_uid=highdicom.UID(),
        series_number=900,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="people",
        manufacturer_model_name="hands",
        software_versions="1",
        device_serial_number="0",
        **(given | options),
    )
