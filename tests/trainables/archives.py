"""Archives as torch.save writes them, with damage that a malicious file has."""

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from tests.lesions.readers.fuzz.png import zeros

STOP = b"."


def repacked(path: Path, **changed: bytes) -> None:
    """Write the archive anew, plainly, with other content: `data` is that of data.pkl."""
    members = unpacked(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, changed.get(name.rpartition("/")[2].partition(".")[0], content))


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def inflating(path: Path, size: int) -> None:
    """Let the archive's data.pkl inflate to `size` bytes more than it needs."""
    (pickled,) = [one for name, one in unpacked(path).items() if name.endswith("data.pkl")]
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(pickled) + packer.flush(zlib.Z_FULL_FLUSH) + zeros(size)[2:-4]
    repacked(path, data=packed)
    whole = bytearray(path.read_bytes())
    entry = whole.rindex(b"PK\1\2", 0, whole.index(b"data.pkl", whole.index(b"PK\1\2")))
    (header,) = struct.unpack_from("<L", whole, entry + 42)
    for method, length in ((entry + 10, entry + 24), (header + 8, header + 22)):
        struct.pack_into("<H", whole, method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<L", whole, length, len(pickled) + size)
    path.write_bytes(whole)


def asking(function: str, *arguments: Any) -> bytes:
    """A pickle that calls a function of "module name"."""
    called = pickle.dumps(arguments, protocol=2)[2:-1]
    return b"\x80\2c" + function.replace(" ", "\n").encode() + b"\n" + called + b"R" + STOP


def copying(entries: int, copies: int) -> bytes:
    """A pickle that copies a dictionary again and again, a few bytes each time."""
    small = pickle.dumps(dict.fromkeys(range(entries)), protocol=2)[2:-1]
    names = b"\x80\2ccollections\nOrderedDict\nq\2" + small + b"q\3\x86q\4"
    return names + b"]q\5(" + b"h\2h\3\x85R" * copies + b"e\x86" + STOP
