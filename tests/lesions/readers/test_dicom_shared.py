"""Real CT: lossless encodings agree, lossy ones as far as they say, DICOM and NIfTI with it all."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from lesions import InputError, read_nifti
from lesions.readers.dicom import read_dicom, read_dicom_folder
from lesions.readers.from_mask import lesions_from_mask

REFUSED = {
    "069.xml": "no DICOM file",
    "eCT_Supplemental.dcm": "RescaleType is US: the values are not said to be HU",
}
# Largest and root mean square HU error of the lossy JPEG 2000 files (70 : 1 and 107 : 1).
LOSSY = {"CT1_J2KI": (352, 38.1), "CT2_J2KI": (402, 30.4)}


def hu_of(path: Path) -> np.ndarray:
    (volume,) = read_dicom(path)
    return volume.hu.astype(int)


def test_every_file_reads_or_is_refused_by_name(shared_data: Path) -> None:
    files = [file for file in sorted((shared_data / "dicom").rglob("*")) if file.is_file()]
    assert len(files) == 34
    refused = {}
    for file in files:
        try:
            (volume,) = read_dicom(file)
        except InputError as error:
            refused[file.name] = error.reason
        else:
            assert volume.hu.shape == (1, 512, 512)
    assert refused == REFUSED


@pytest.mark.parametrize("patient", ["CT1", "CT2"])
@pytest.mark.parametrize("encoding", ["RLE", "JPLL", "JLSL", "J2KR"])
def test_lossless_encodings_give_identical_hu(
    shared_data: Path, patient: str, encoding: str
) -> None:
    folder = shared_data / "dicom" / "wg04_ct_transfer_syntaxes"
    raw = hu_of(folder / f"{patient}_UNC.dcm")
    np.testing.assert_array_equal(hu_of(folder / f"{patient}_{encoding}.dcm"), raw)


def test_a_signed_codestream_of_fewer_bits_gives_identical_hu(shared_data: Path) -> None:
    folder = shared_data / "dicom" / "pydicom_data_ct"
    raw = hu_of(folder / "693_UNCR.dcm")
    assert raw.min() == -3024
    np.testing.assert_array_equal(hu_of(folder / "693_J2KR.dcm"), raw)


@pytest.mark.parametrize("patient", ["CT1", "CT2"])
def test_near_lossless_stays_within_the_error_that_it_states(
    shared_data: Path, patient: str
) -> None:
    folder = shared_data / "dicom" / "wg04_ct_transfer_syntaxes"
    path = folder / f"{patient}_JLSN.dcm"
    frame = get_frame(pydicom.dcmread(path).PixelData, 0, number_of_frames=1)
    # Start of scan: marker, length, one component and its table, then NEAR.
    near = struct.unpack_from(">HHBBBB", frame, frame.index(b"\xff\xda"))[-1]
    assert near == 4
    assert np.abs(hu_of(path) - hu_of(folder / f"{patient}_UNC.dcm")).max() == near


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_jpeg_2000_stays_within_the_error_that_we_state(shared_data: Path, name: str) -> None:
    folder = shared_data / "dicom" / "wg04_ct_transfer_syntaxes"
    error = hu_of(folder / f"{name}.dcm") - hu_of(folder / f"{name[:3]}_UNC.dcm")
    largest, rms = LOSSY[name]
    assert np.abs(error).max() <= largest
    assert np.sqrt((error**2).mean()) <= rms


def test_dicom_and_nifti_show_the_same_patient_the_same_way(shared_data: Path) -> None:
    (series,), rejected = read_dicom_folder(shared_data / "dicom" / "lidc_0001_13slices")
    nifti = read_nifti(shared_data / "lidc" / "LIDC-IDRI-0001_ct.nii.gz")
    np.testing.assert_array_equal(series.hu, nifti.hu)
    assert series.spacing == nifti.spacing == (0.703125, 0.703125, 2.5)
    np.testing.assert_allclose(series.affine, nifti.affine, atol=1e-5)
    # The scanner numbers from the head, display order goes from the feet.
    assert [s.file.name for s in series.slices] == [f"{n:03d}.dcm" for n in range(49, 36, -1)]
    assert [r.file.name for r in rejected] == ["069.xml"]


def test_a_dicom_series_takes_a_nifti_mask(shared_data: Path) -> None:
    with pytest.warns(UserWarning, match="1 files are set aside"):
        (volume,) = read_dicom(shared_data / "dicom" / "lidc_0001_13slices")
    mask = read_nifti(shared_data / "lidc" / "LIDC-IDRI-0001_mask_consensus.nii.gz")
    (lesion,) = lesions_from_mask(volume, mask, window=(-1500, 500))
    # nodules.json: key slice 5 of the slab.
    assert lesion.file == "lidc_0001_13slices_005"
    assert lesion.patient == "LIDC-IDRI-0001"
    np.testing.assert_array_equal(lesion.slice_hu, volume.hu[5])
    np.testing.assert_array_equal(lesion.mask("human"), mask.hu[5])


def test_wrong_names_in_one_folder_of_everything(shared_data: Path, tmp_path: Path) -> None:
    sources = [f for f in sorted((shared_data / "dicom").rglob("*")) if f.is_file()]
    for index, file in enumerate(sources):
        shutil.copyfile(file, tmp_path / f"{index * 7 % len(sources)}.png")
    volumes, rejected = read_dicom_folder(tmp_path)
    in_volumes = [s.file for v in volumes for s in v.slices]
    assert len(in_volumes) + len(rejected) == len(sources)
    assert not set(in_volumes) & {r.file for r in rejected}
    assert sorted(len(v.slices) for v in volumes) == [1, 1, 1, 1, 13]


def test_an_enhanced_file_of_hu_reads(shared_data: Path, tmp_path: Path) -> None:
    # The one we have is a map of blood flow and refused as such; its pixels serve once it says HU.
    image = pydicom.dcmread(shared_data / "dicom" / "pydicom_data_ct" / "eCT_Supplemental.dcm")
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.PixelValueTransformationSequence[0].RescaleType = "HU"
    image.save_as(tmp_path / "enhanced")
    (volume,) = read_dicom(tmp_path / "enhanced")
    stored = np.frombuffer(image.PixelData, "<u2").reshape(2, 512, 512).astype(int)
    # Frame 1 lies at −159 mm, frame 2 at −149; the columns run to the patient's right.
    np.testing.assert_array_equal(volume.hu, stored[:, :, ::-1] - 1024)
    assert volume.spacing == pytest.approx((0.388672, 0.388672, 10))
    assert [s.frame for s in volume.slices] == [1, 2]


@pytest.mark.parametrize("patient", ["CT1", "CT2"])
def test_a_jpeg_without_its_middle_is_refused(
    shared_data: Path, tmp_path: Path, patient: str
) -> None:
    """libjpeg makes the missing pixels up and only warns."""
    source = shared_data / "dicom" / "wg04_ct_transfer_syntaxes" / f"{patient}_JPLL.dcm"
    dataset = pydicom.dcmread(source)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    cut = frame[: len(frame) // 2].rstrip(b"\xff") + b"\xff\xd9"
    dataset.PixelData = pydicom.encaps.encapsulate([cut])
    dataset.save_as(tmp_path / "cut.dcm")
    with pytest.raises(InputError, match="the codestream ends early"):
        read_dicom(tmp_path / "cut.dcm")
