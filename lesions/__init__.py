"""What a lesion is: reading, RECIST geometry, prompts, pseudo masks, metrics.

Functions that bear their module's name are imported from there, as in
`from lesions.heatmaps import heatmaps`; here the name is the module.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lesions import ellipse, heatmaps, metrics
from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.masks import (
    PSEUDO_MASKS,
    CrfParameters,
    agree,
    dense_crf,
    grabcut_3d,
    pseudo_mask,
)
from lesions.prompts import Box, Click, Marks
from lesions.prompts.click import click_prior, click_region, random_click
from lesions.readers.deeplesion import Rejected, read_deeplesion
from lesions.readers.from_mask import lesions_from_mask
from lesions.recist import Recist
from lesions.volume import Volume

if TYPE_CHECKING:
    from lesions.readers.dicom import RejectedFile, read_dicom, read_dicom_folder
    from lesions.readers.nifti import read_nifti
    from lesions.readers.volumes import read_volume

__all__ = [
    "PSEUDO_MASKS",
    "Box",
    "Click",
    "CrfParameters",
    "InputError",
    "Lesion",
    "Marks",
    "Recist",
    "Rejected",
    "RejectedFile",
    "Volume",
    "agree",
    "click_prior",
    "click_region",
    "dense_crf",
    "ellipse",
    "grabcut_3d",
    "heatmaps",
    "lesions_from_mask",
    "metrics",
    "pseudo_mask",
    "random_click",
    "read_deeplesion",
    "read_dicom",
    "read_dicom_folder",
    "read_nifti",
    "read_volume",
]

# Read when first asked for: training needs neither pydicom nor nibabel.
_LATER = {
    "RejectedFile": "lesions.readers.dicom",
    "read_dicom": "lesions.readers.dicom",
    "read_dicom_folder": "lesions.readers.dicom",
    "read_nifti": "lesions.readers.nifti",
    "read_volume": "lesions.readers.volumes",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_LATER[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
