"""PNG bytes to arrays and back: DeepLesion's 16-bit slices, and 8-bit label images."""

import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError

HU_OFFSET = 32768  # DeepLesion stores HU + 32768 as uint16.
LARGEST_SIDE = 4096  # pixels; a few kB of PNG can ask for gigabytes


def decode_slice(encoded: bytes) -> NDArray[np.int16]:
    """HU (H, W) of a 16-bit greyscale PNG; InputError when it is anything else."""
    pixels = _decode(encoded)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise InputError(
            f"the PNG holds {_kind(pixels)}, not 16-bit greyscale",
            remedy="DeepLesion's slices are 16-bit PNG with HU + 32768",
        )
    # int32 first: uint16 minus 32768 wraps around.
    return (pixels.astype(np.int32) - HU_OFFSET).astype(np.int16)


def encode_slice(slice_hu: NDArray[np.integer[Any]]) -> bytes:
    """16-bit PNG bytes of HU (H, W); ValueError when a value does not fit."""
    shifted = np.asarray(slice_hu, dtype=np.int64) + HU_OFFSET
    if shifted.min(initial=0) < 0 or shifted.max(initial=0) > 65535:
        raise ValueError("HU outside -32768…32767 does not fit 16 bits")
    return _encode(shifted.astype(np.uint16))


def decode_labels(encoded: bytes) -> NDArray[np.uint8]:
    """A label image (H, W): 0 background, 1 lesion, 255 uncertain."""
    labels = _decode(encoded)
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise InputError(f"the mask PNG holds {_kind(labels)}, not 8-bit greyscale")
    if not np.isin(labels, (0, 1, 255)).all():
        raise InputError("the mask holds values other than 0, 1 and 255 (uncertain)")
    return labels.astype(np.uint8, copy=False)


def encode_labels(labels: NDArray[np.uint8]) -> bytes:
    """8-bit PNG bytes of a label image (H, W)."""
    return _encode(np.ascontiguousarray(labels, dtype=np.uint8))


def _decode(encoded: bytes) -> NDArray[Any]:
    if not _is_whole(encoded):
        raise InputError("the PNG is truncated or no PNG", remedy="copy or download it again")
    width, height = struct.unpack(">II", encoded[16:24])
    if max(width, height) > LARGEST_SIDE:
        raise InputError(f"the PNG is {width} × {height}, beyond {LARGEST_SIDE}")
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError("the PNG cannot be decoded", remedy="copy or download it again")
    return np.asarray(pixels)


def _is_whole(encoded: bytes) -> bool:
    """Whether every chunk is there with its checksum: decoders fill gaps with zeros in silence."""
    if encoded[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    at = 8
    while at + 12 <= len(encoded):
        length, kind = struct.unpack(">I4s", encoded[at : at + 8])
        end = at + 12 + length
        (checksum,) = struct.unpack(">I", encoded[end - 4 : end].ljust(4, b"\0"))
        if end > len(encoded) or zlib.crc32(encoded[at + 4 : end - 4]) != checksum:
            return False
        if kind == b"IEND":
            return True
        at = end
    return False


def _encode(pixels: NDArray[Any]) -> bytes:
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise ValueError(f"cannot encode {_kind(pixels)} as PNG")
    return encoded.tobytes()


def _kind(pixels: NDArray[Any]) -> str:
    return f"{pixels.dtype} of shape {pixels.shape}"
