"""One DICOM file: HU exact from every encoding; what is missing or damaged is named."""

import random
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from lesions import InputError
from lesions.readers.dicom import read_dicom
from lesions.readers.dicom.header import PixelFormat
from lesions.readers.dicom.pixels import stored_values, to_hu
from tests.lesions.readers.dicom_files import ENCODERS, HU, compress, ct, enhanced, save

# Smooth, as JPEG likes it, and within 12 bits when stored.
Y, X = np.mgrid[:48, :40]
SMOOTH = (300 * np.sin(X / 5) + 200 * np.cos(Y / 7)).astype(np.int16)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoding_gives_the_same_hu(tmp_path: Path, name: str) -> None:
    syntax, encode, error = ENCODERS[name]
    stored = (SMOOTH.astype(np.int32) + 1024).astype(np.uint16)
    path = save(compress(ct(SMOOTH), syntax, [encode(stored)]), tmp_path / "ct")
    (volume,) = read_dicom(path)
    assert np.abs(volume.hu[0].astype(int) - SMOOTH).max() <= error


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian],
)
def test_uncompressed_transfer_syntaxes(tmp_path: Path, syntax: str) -> None:
    image = ct()
    image.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    (volume,) = read_dicom(save(image, tmp_path / "ct"))
    np.testing.assert_array_equal(volume.hu[0], HU[0])


def test_compressed_frames_of_a_multi_frame_file(tmp_path: Path) -> None:
    syntax, encode, _ = ENCODERS["JPEG-LS"]
    plain = enhanced()
    frames = np.frombuffer(plain.PixelData, "<u2").reshape(HU.shape)
    expected = read_dicom(save(plain, tmp_path / "plain"))[0].hu
    packed = compress(enhanced(), syntax, [encode(frame) for frame in frames])
    np.testing.assert_array_equal(read_dicom(save(packed, tmp_path / "packed"))[0].hu, expected)


def test_eight_bits_of_baseline_jpeg(tmp_path: Path) -> None:
    grey = (SMOOTH // 8 + 100).astype(np.uint8)
    frame = imagecodecs.jpeg8_encode(grey, level=100)
    image = ct(SMOOTH, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleIntercept=0)
    path = save(compress(image, uid.JPEGBaseline8Bit, [frame]), tmp_path / "ct")
    assert np.abs(read_dicom(path)[0].hu[0] - grey).max() <= 3


def test_a_codestream_whose_sign_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    def jpeg_2000(values: np.ndarray, **tags: Any) -> Path:
        frame = imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0)
        return save(compress(ct(SMOOTH, **tags), uid.JPEG2000Lossless, [frame]), tmp_path / "ct")

    signed = SMOOTH - 100
    (volume,) = read_dicom(jpeg_2000(signed, PixelRepresentation=1, RescaleIntercept=0))
    np.testing.assert_array_equal(volume.hu[0], signed)
    with pytest.raises(InputError, match="says unsigned, the codestream holds negative values"):
        read_dicom(jpeg_2000(signed))
    bytes_only = (SMOOTH // 8 + 100).astype(np.uint8)
    with pytest.raises(InputError, match="signed values of 16 bits in a codestream of 8 unsigned"):
        read_dicom(jpeg_2000(bytes_only, PixelRepresentation=1))


def test_a_file_without_the_dicm_mark(tmp_path: Path) -> None:
    path = tmp_path / "old"
    image = ct()
    del image.file_meta
    image.save_as(path, implicit_vr=True, little_endian=True)
    (volume,) = read_dicom(path)
    np.testing.assert_array_equal(volume.hu[0], HU[0])


def test_signed_values_with_and_without_their_sign_above(tmp_path: Path) -> None:
    values = np.array([[-2048, -1, 0, 2047]])
    for stored in (values, values & 0xFFF):
        image = ct(
            values, BitsStored=12, HighBit=11, PixelRepresentation=1, RescaleIntercept=0,
            PixelData=(stored & 0xFFFF).astype("<u2").tobytes(),
        )  # fmt: skip
        np.testing.assert_array_equal(read_dicom(save(image, tmp_path / "ct"))[0].hu[0], values)


def test_monochrome1_and_padding_are_left_as_they_are(tmp_path: Path) -> None:
    image = ct(PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=int(HU[0, 0, 0]) + 1024)
    np.testing.assert_array_equal(read_dicom(save(image, tmp_path / "ct"))[0].hu[0], HU[0])


def test_a_fractional_slope_is_rounded(tmp_path: Path) -> None:
    image = ct(RescaleSlope=0.3, RescaleIntercept=-0.5)
    expected = np.rint((HU[0].astype(int) + 1024) * 0.3 - 0.5)
    np.testing.assert_array_equal(read_dicom(save(image, tmp_path / "ct"))[0].hu[0], expected)


@given(
    stored=st.integers(2, 16),
    signed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_stored_values_survive_their_bits(stored: int, signed: bool, seed: int) -> None:
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    values = np.random.default_rng(seed).integers(low, high, (4, 5), endpoint=True)
    held = (values & 0xFFFF).astype(np.uint16)
    pixels = PixelFormat(shape=(4, 5), allocated=16, stored=stored, signed=signed)
    found, cut = stored_values(held, pixels, (1, 0))
    assert not cut
    np.testing.assert_array_equal(found, values)
    if high <= 32767:
        np.testing.assert_array_equal(to_hu(values, (1, 0)), values)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no slope": ({"RescaleSlope": None}, "RescaleSlope is missing"),
    "no intercept": ({"RescaleIntercept": None}, "RescaleIntercept is missing"),
    "zero slope": ({"RescaleSlope": 0}, "RescaleSlope is zero"),
    "no HU": ({"RescaleType": "Z_EFF"}, "RescaleType is Z_EFF: the values are not said to be HU"),
    "no spacing": ({"PixelSpacing": None}, "PixelSpacing is missing"),
    "zero spacing": ({"PixelSpacing": [0.8, 0]}, r"PixelSpacing is not positive: 0\.8, 0"),
    "one spacing": ({"PixelSpacing": 0.8}, "PixelSpacing is not 2 numbers but 1"),
    "no orientation": ({"ImageOrientationPatient": None}, "ImageOrientationPatient is missing"),
    "skew orientation": (
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        "not two perpendicular unit vectors",
    ),
    "no position": ({"ImagePositionPatient": None}, "ImagePositionPatient is missing"),
    "turned": (
        {"ImageOrientationPatient": [0.8, 0.6, 0, -0.6, 0.8, 0]},
        r"tilted by 36\.9°",
    ),
    "colours": (
        {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3},
        r"a picture \(RGB, 3 samples a pixel\)",
    ),
    "no colours": ({"PhotometricInterpretation": None}, "PhotometricInterpretation is missing"),
    "no rows": ({"Rows": None}, "Rows is missing"),
    "bells": ({"RescaleType": "\x07HU" * 21}, r"RescaleType is (\?HU){21}: the"),
    "32 bits": ({"BitsAllocated": 32}, "bits allocated, stored, highest are 32, 16, 15"),
    "high bit": ({"BitsStored": 12}, "bits allocated, stored, highest are 16, 12, 15"),
    "more bits": ({"BitsStored": 4, "HighBit": 3}, r"BitsStored is 4, \d+ values have more"),
    "no pixels": ({"PixelData": None}, "no pixel data"),
    "huge": ({"Rows": 65535}, "Rows × Columns is 65535 × 7, beyond 1 to 4096"),
    "fewer pixels": ({"Rows": 5}, "the pixel data have 84 bytes, 1 frames of 5 × 7 need 70"),
    "frames": ({"NumberOfFrames": 9999999}, "NumberOfFrames is 9999999, the file describes 1"),
    "beyond 16 bits": ({"RescaleSlope": 100}, "HU from .* do not fit 16 bits"),
    "no class": ({"SOPClassUID": None}, "SOPClassUID is missing"),
    "a structure set": ({"SOPClassUID": uid.RTStructureSetStorage}, "RT Structure Set Storage"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, case: str) -> None:
    tags, reason = REFUSED[case]
    path = tmp_path / "ct"
    ct(**tags).save_as(path, implicit_vr=False, little_endian=True)
    with pytest.raises(InputError, match=reason) as error:
        read_dicom(path)
    assert error.value.file == path


def test_words_where_a_number_belongs(tmp_path: Path) -> None:
    path = save(ct(), tmp_path / "ct")
    path.write_bytes(path.read_bytes().replace(b"-1024", b"-1O24"))
    with pytest.raises(InputError, match=r"RescaleIntercept is not a number: -1O24"):
        read_dicom(path)


def test_codestreams_that_do_not_fit_are_named(tmp_path: Path) -> None:
    stored = (SMOOTH.astype(np.int32) + 1024).astype(np.uint16)
    for syntax, encode, _ in ENCODERS.values():
        frame = encode(stored)
        path = tmp_path / "ct"
        save(compress(ct(SMOOTH), syntax, [frame[: len(frame) // 2]]), path)
        with pytest.raises(InputError, match=r"ends early|RLE"):
            read_dicom(path)
        save(compress(ct(SMOOTH[:-1]), syntax, [frame]), path)
        with pytest.raises(InputError, match=r"holds 48 × 40 pixels|RLE segments"):
            read_dicom(path)
        save(compress(ct(SMOOTH), syntax, [b"\1" * 100]), path)
        with pytest.raises(InputError, match=r"no codestream|RLE segments"):
            read_dicom(path)
        save(compress(ct(SMOOTH), uid.MPEG2MPML, [frame]), path)
        with pytest.raises(InputError, match=r"the transfer syntax MPEG2 .* is not read"):
            read_dicom(path)


def test_mutated_files_are_read_or_refused_by_name(tmp_path: Path) -> None:
    chance = random.Random(0)
    stored = (SMOOTH.astype(np.int32) + 1024).astype(np.uint16)
    images = [compress(ct(SMOOTH), s, [encode(stored)]) for s, encode, _ in ENCODERS.values()]
    path, outcomes = tmp_path / "ct", set()
    for image in [ct(SMOOTH), *images]:
        whole = save(image, path).read_bytes()
        for _ in range(100):
            mutated = bytearray(whole)
            for _ in range(chance.choice((1, 2, 16))):
                mutated[chance.randrange(len(whole))] = chance.randrange(256)
            path.write_bytes(mutated[: chance.choice((None, None, None, chance.randrange(999)))])
            outcomes.add(outcome(path))
    assert outcomes == {"int16", "InputError"}


def outcome(path: Path) -> str:
    """What came of reading it; anything but a volume or an InputError of that file is raised."""
    try:
        (volume,) = read_dicom(path)
    except InputError as error:
        # "has no attribute" would be our mistake, not the file's.
        if error.file == path and "attribute" not in error.reason:
            return "InputError"
        raise
    return volume.hu.dtype.name
