"""What a lesion is: reading, RECIST geometry, pseudo masks, metrics.

Functions that bear their module's name are imported from there, as in
`from lesions.heatmaps import heatmaps`; here the name is the module.
"""

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
from lesions.prompts.click import click_prior, click_region, random_click
from lesions.readers.deeplesion import Rejected, read_deeplesion
from lesions.readers.dicom import RejectedFile, read_dicom, read_dicom_folder
from lesions.readers.from_mask import lesions_from_mask
from lesions.readers.nifti import read_nifti
from lesions.recist import Recist
from lesions.volume import Volume

__all__ = [
    "PSEUDO_MASKS",
    "CrfParameters",
    "InputError",
    "Lesion",
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
]
