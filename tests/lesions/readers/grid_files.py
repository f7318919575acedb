"""MetaImage and NRRD files, written from their definitions alone."""

import zlib
from gzip import compress
from pathlib import Path

import numpy as np

MET = {"i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "i4": "MET_INT", "f4": "MET_FLOAT"}
NRRD = {"i1": "int8", "u1": "uint8", "i2": "short", "i4": "int", "f4": "float"}


def _words(numbers: np.ndarray) -> str:
    return " ".join(repr(float(number)) for number in np.ravel(numbers))


def metaimage(
    voxels: np.ndarray, affine: np.ndarray, packed: bool = False, **fields: str | None
) -> bytes:
    """Of voxels (I, J, K) and their affine → (left, back, head); a field of None is left out."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    header: dict[str, str | None] = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False", "CompressedData": str(packed),
        "TransformMatrix": _words((affine[:3, :3] / spacing).T), "Offset": _words(affine[:3, 3]),
        "ElementSpacing": _words(spacing), "DimSize": " ".join(map(str, voxels.shape)),
        "ElementType": MET[voxels.dtype.str[1:]], "ElementDataFile": "LOCAL",
    }  # fmt: skip
    last = fields.pop("ElementDataFile", header.pop("ElementDataFile"))
    header |= {**fields, "ElementDataFile": last}
    lines = [f"{name} = {value}\n" for name, value in header.items() if value is not None]
    data = voxels.tobytes(order="F")
    inside = zlib.compress(data) if packed else data
    return "".join(lines).encode() + (inside if last == "LOCAL" else b"")


def nrrd(
    voxels: np.ndarray, affine: np.ndarray, packed: bool = False, **fields: str | None
) -> bytes:
    """The same; spaces in fields' names are written as _."""
    vectors = [f"({','.join(repr(float(one)) for one in row)})" for row in affine[:3].T]
    header: dict[str, str | None] = {
        "type": NRRD[voxels.dtype.str[1:]], "dimension": "3", "space": "left-posterior-superior",
        "sizes": " ".join(map(str, voxels.shape)), "space_directions": " ".join(vectors[:3]),
        "kinds": "domain domain domain", "endian": "little",
        "encoding": "gzip" if packed else "raw", "space_origin": vectors[3], **fields,
    }  # fmt: skip
    lines = [
        f"{name.replace('_', ' ')}: {value}\n"
        for name, value in header.items()
        if value is not None
    ]
    data = voxels.tobytes(order="F")
    inside = compress(data, 1, mtime=0) if packed else data
    return ("NRRD0004\n" + "".join(lines) + "\n").encode() + (
        b"" if "data_file" in header else inside
    )


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
