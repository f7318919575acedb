"""CT files as scanners write them, small, for the DICOM tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

SPACING = (0.7, 0.8, 2.5)
ORIGIN = (-100.0, -120.0, 30.0)
# A patient in display order (D, H, W): no slice, row or column like another.
HU = np.random.default_rng(0).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)


def ct(hu: NDArray[Any] = HU[0], **tags: Any) -> Dataset:
    """A CT image of HU (H, W) at ORIGIN; a tag that is None is left out."""
    stored = np.asarray(hu, dtype=np.int32) + 1024
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    values: dict[str, Any] = {
        "SOPClassUID": uid.CTImageStorage,
        "SOPInstanceUID": uid.generate_uid(),
        "PatientID": "P1",
        "StudyInstanceUID": "1.2.1",
        "SeriesInstanceUID": "1.2.2",
        "FrameOfReferenceUID": "1.2.3",
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
        "PixelSpacing": [SPACING[1], SPACING[0]],
        "SliceThickness": SPACING[2],
        "GantryDetectorTilt": 0,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": list(ORIGIN),
        "PixelData": stored.astype("<u2").tobytes(),
    }
    for keyword, value in (values | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    """Write it with its preamble and file meta information."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def series(
    hu: NDArray[Any] = HU,
    row: Sequence[int] = (1, 0, 0),
    column: Sequence[int] = (0, 1, 0),
    **tags: Any,
) -> list[Dataset]:
    """The patient `hu` (D, H, W, display order) scanned with these directions of row and column."""
    datasets = []
    along, down = int(np.argmax(np.abs(row))), int(np.argmax(np.abs(column)))
    for z, image in enumerate(hu):
        corner = np.array([0, 0, z])
        stored = image.T if along == 1 else image
        if sum(row) < 0:
            stored, corner[along] = stored[:, ::-1], stored.shape[1] - 1
        if sum(column) < 0:
            stored, corner[down] = stored[::-1], stored.shape[0] - 1
        position = np.array(ORIGIN) + corner * SPACING
        own = {
            "ImageOrientationPatient": [*row, *column],
            "ImagePositionPatient": np.round(position, 6).tolist(),
            "PixelSpacing": [SPACING[down], SPACING[along]],
        }
        datasets.append(ct(stored, **(own | tags)))
    return datasets


def save_all(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """Write them as IM0, IM1, …"""
    return [save(dataset, folder / f"IM{index}") for index, dataset in enumerate(datasets)]


def enhanced(hu: NDArray[Any] = HU, **tags: Any) -> Dataset:
    """One multi-frame image of `hu`, its frames stored from head to feet.

    Frame k is stored with slope k + 1 and intercept −1024, both its own; the rest is shared.
    """
    frames = hu[::-1].astype(np.int32) + 1024
    slopes = np.arange(1, len(frames) + 1)
    stored = np.round(frames / slopes[:, None, None]).astype("<u2")
    top = ct(hu[0], PixelData=stored.tobytes(), NumberOfFrames=len(frames), **tags)
    top.SOPClassUID = uid.EnhancedCTImageStorage
    for keyword in (
        "RescaleSlope", "RescaleIntercept", "RescaleType", "PixelSpacing", "SliceThickness",
        "GantryDetectorTilt", "ImageOrientationPatient", "ImagePositionPatient",
    ):  # fmt: skip
        del top[keyword]
    top.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[
                item(PixelSpacing=[SPACING[1], SPACING[0]], SliceThickness=SPACING[2])
            ],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ]
    last = np.array([0, 0, len(hu) - 1])
    top.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[
                item(ImagePositionPatient=(ORIGIN + (last - [0, 0, k]) * SPACING).tolist())
            ],
            PixelValueTransformationSequence=[
                item(RescaleSlope=int(slope), RescaleIntercept=-1024, RescaleType="HU")
            ],
        )
        for k, slope in enumerate(slopes)
    ]
    return top


def item(**tags: Any) -> Dataset:
    """A sequence's item."""
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def compress(dataset: Dataset, syntax: str, frames: Sequence[bytes]) -> Dataset:
    """Put compressed frames in place of the pixels."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def run_lengths(stored: NDArray[Any]) -> bytes:
    """RLE of 16-bit values (H, W)."""
    rows, columns = stored.shape
    return RLELosslessEncoder.encode(
        stored, rows=rows, columns=columns, samples_per_pixel=1, bits_allocated=16, bits_stored=16,
        pixel_representation=0, photometric_interpretation="MONOCHROME2", number_of_frames=1,
        byteorder="<",
    )  # fmt: skip


# Encoder of 12-bit values by transfer syntax, and the largest error it may make.
ENCODERS: dict[str, tuple[str, Any, int]] = {
    "RLE": (uid.RLELossless, run_lengths, 0),
    "JPEG lossless": (
        uid.JPEGLosslessSV1,
        lambda v: imagecodecs.jpeg8_encode(v, lossless=True, bitspersample=16),
        0,
    ),
    "JPEG lossless, predictor 4": (
        uid.JPEGLossless,
        lambda v: imagecodecs.jpeg8_encode(v, lossless=True, bitspersample=12, predictor=4),
        0,
    ),
    "JPEG 12 bits": (
        uid.JPEGExtended12Bit,
        lambda v: imagecodecs.jpeg8_encode(v, level=100, bitspersample=12),
        4,
    ),
    "JPEG-LS": (uid.JPEGLSLossless, imagecodecs.jpegls_encode, 0),
    "JPEG-LS near lossless": (
        uid.JPEGLSNearLossless,
        lambda v: imagecodecs.jpegls_encode(v, level=3),
        3,
    ),
    "JPEG 2000": (
        uid.JPEG2000Lossless,
        lambda v: imagecodecs.jpeg2k_encode(v, codecformat="j2k", reversible=True, level=0),
        0,
    ),
    "JPEG 2000 in a jp2 file": (
        uid.JPEG2000Lossless,
        lambda v: imagecodecs.jpeg2k_encode(v, codecformat="jp2", reversible=True, level=0),
        0,
    ),
    "HTJ2K": (uid.HTJ2KLossless, lambda v: imagecodecs.htj2k_encode(v, reversible=True), 0),
}
