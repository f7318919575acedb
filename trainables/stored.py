"""Tensors in files that somebody else may have made: read as data, within the file's own size.

torch.load(weights_only=True) runs no code, but it inflates what is compressed and makes whatever
the pickle asks for: a byte array of gigabytes, one number seen as a billion.
"""

import argparse
import re
import struct
import warnings
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from pickletools import OpcodeInfo, genops  # nosec B403 # it reads opcodes, and runs none
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import safetensors.torch
import torch
from timm.models import clean_state_dict
from torch import Tensor, nn

from lesions.errors import InputError, shown
from lesions.readers.bounded import open_regular

MOST_BYTES = (4 << 30) - 1  # of a file: ResNet-152 with Adam's moments takes 1 GB
MOST_PICKLE = 8 << 20  # bytes that say how tensors are called and shaped; 300 kB in real ones
_MOST_BUILDS = 64  # each copies its object's attributes; a checkpoint has one or two
_ZIP, _LEGACY_PICKLES = b"PK\3\4", 5
_DTYPES = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool,
)  # fmt: skip
_PUTS, _GETS = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_WATCHED = frozenset({"GLOBAL", "BUILD", "PROTO", *_GETS})
_ORDERED = "collections OrderedDict"
_ASKED_FOR = re.compile(
    r"torch \w+Storage|torch\._utils _rebuild_(tensor_v2|parameter)|argparse Namespace|" + _ORDERED
)
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")  # timm's order


def read_torch(path: Path, *, foreign: bool = False) -> Any:
    """What torch.save wrote: dictionaries, lists, numbers, texts, and tensors that map the file.

    Args:
        path: the file.
        foreign: also what others than this house write: the format before zip archives, and
            timm's `argparse.Namespace`.

    Raises:
        InputError: it holds, or asks for, anything else, or more than a file of its size can.
        RuntimeError: torch refuses it.
        OSError: it is absent, or may not be read.
    """
    with open_regular(path, MOST_BYTES) as file:
        try:
            with warnings.catch_warnings(action="ignore"):  # torch's, on what is damaged
                return _checked(file, foreign)
        except (InputError, OSError, RuntimeError):
            raise
        except Exception:  # of any kind, and torch's words would have the user trust the file
            raise InputError("its archive or pickle is damaged") from None


def _checked(file: BinaryIO, foreign: bool) -> Any:
    if zipped := file.read(len(_ZIP)) == _ZIP:
        with ZipFile(file) as archive:
            _check_archive(archive, file)
    elif foreign:
        file.seek(0)
        front = BytesIO(file.read(MOST_PICKLE))
        for _ in range(_LEGACY_PICKLES):
            _check_pickle(front)
        file.seek(0)
    else:
        raise InputError("is no archive of torch's")
    # By its descriptor the file that was checked is the one that is mapped.
    source: Any = f"/dev/fd/{file.fileno()}" if zipped else file
    with torch.serialization.safe_globals([argparse.Namespace] if foreign else []):
        return torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a .safetensors file, or in what torch.save wrote, wrapped as timm knows it.

    Raises:
        InputError: they are no finite plain tensors, and as of `read_torch`.
        Exception: of any kind; each format fails in its own way.
    """
    found: Any
    if path.suffix == ".safetensors":
        with open_regular(path, MOST_BYTES) as file:
            found = safetensors.torch.load_file(f"/dev/fd/{file.fileno()}")
    else:
        found = read_torch(path, foreign=True)
        for wrapper in _WRAPPERS:
            if isinstance(found, dict) and found.get(wrapper) is not None:
                found = found[wrapper]
                break
    check_tensors(found, path.stat().st_size)
    return dict(clean_state_dict(found))


def check_tensors(found: Any, most: int) -> dict[str, Tensor]:
    """The tensors by name, plain and finite, that `found` is; InputError where it is none.

    Args:
        found: what a file holds.
        most: bytes that they may take together; one with several names, as nnU-Net's have, is
            stored once.
    """
    if not isinstance(found, dict) or not found:
        raise InputError("holds no tensors by name")
    stored: dict[tuple[int, int], str] = {}
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"holds {shown(str(name)[:101])!r}, which is no tensor by name")
        _check_plain(name, tensor)
        stored[tensor.data_ptr(), tensor.nbytes] = name
    if (taken := sum(nbytes for _, nbytes in stored)) > most:
        raise InputError(f"holds tensors of {taken} bytes, more than the file has")
    for name in stored.values():
        _check_finite(name, found[name])
    return found


def check_tensor(name: str, tensor: Tensor) -> None:
    """InputError unless each of its numbers is stored, and is finite."""
    _check_plain(name, tensor)
    _check_finite(name, tensor)


def _check_plain(name: str, tensor: Tensor) -> None:
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
    if not plain or tensor.is_meta or tensor.is_nested or tensor.dtype not in _DTYPES:
        raise InputError(f"{shown(name)} is no plain tensor")
    steps = zip(tensor.stride(), tensor.shape, strict=True)
    repeats = any(step == 0 and size > 1 for step, size in steps)
    if repeats or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(f"{shown(name)} repeats fewer numbers than its shape has")


def _check_finite(name: str, tensor: Tensor) -> None:
    if tensor.numel() and tensor.is_floating_point():
        low, high = torch.aminmax(tensor.detach())  # NaN where one is
        if not (low.isfinite() and high.isfinite()):
            raise InputError(f"{shown(name)} has NaN or infinite numbers")


def check_shapes(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """InputError, naming an entry, unless the tensors have the names, shapes and types of `own`."""
    for name in sorted(found.keys() | own.keys()):
        there, wanted = found.get(name), own.get(name)
        if there is None or wanted is None:
            raise InputError(f"{shown(name)} is {'missing' if there is None else 'no part of it'}")
        if there.shape != wanted.shape or there.dtype != wanted.dtype:
            raise InputError(f"{shown(name)} is {_kind(there)}, not {_kind(wanted)}")


def said(error: Exception) -> str:
    """What an error of any kind says, in one line."""
    words = str(error)
    if isinstance(error, InputError):
        words = error.reason
    elif isinstance(error, OSError) and error.strerror:
        words = error.strerror
    return shown(words.partition("\n")[0]) or type(error).__name__


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _check_archive(archive: ZipFile, file: BinaryIO) -> None:
    members = archive.infolist()
    names = [one.filename for one in members]
    if len({name.lower() for name in names}) < len(names):  # torch does not tell case apart
        raise InputError("is an archive with two members of one name")
    if not all(map(_is_stored, members)):
        raise InputError("is an archive of packed members, as torch.save writes none")
    size = file.seek(0, 2)
    if sum(one.file_size for one in members) > size or not _has_one_list(archive, file, size):
        raise InputError("has no plain list of its members at its end")
    root = names[0].partition("/")[0]
    if f"{root}/data.pkl" not in names or f"{root}/constants.pkl" in names:
        raise InputError("is an archive without torch.save's data.pkl, or one of TorchScript")
    if archive.getinfo(f"{root}/data.pkl").file_size > MOST_PICKLE:
        raise InputError(f"has a data.pkl of more than {MOST_PICKLE} bytes")
    with archive.open(f"{root}/data.pkl") as pickled:
        _check_pickle(BytesIO(pickled.read()))


def _is_stored(member: ZipInfo) -> bool:
    """Neither compressed nor encrypted, nor with a second word on its size."""
    same = member.compress_type == ZIP_STORED and member.compress_size == member.file_size
    return same and not member.flag_bits & 1 and not member.extra


def _has_one_list(archive: ZipFile, file: BinaryIO, size: int) -> bool:
    """Whether torch's reader, too, takes the list of members right before the archive's end."""
    file.seek(max(0, size - 98))
    tail = file.read().rjust(98)
    magic, length, start, comment = struct.unpack("<4s8x2LH", tail[76:])
    at = size - 22
    if tail[56:60] == b"PK\6\7":  # the larger record: its locator, and the record itself
        (at,) = struct.unpack("<8xQ4x", tail[56:76])
        length, start = struct.unpack("<2Q", tail[40:56])
        if at != size - 98:
            return False
    end = start + length == at and start == archive.start_dir
    return bool(end and magic == b"PK\5\6" and not comment)


def _check_pickle(file: BinaryIO) -> None:
    """InputError for a pickle that makes more than dictionaries, lists, numbers and tensors."""
    with warnings.catch_warnings(action="error"):  # genops warns of a text that is damaged
        _check_operations(genops(file))


def _check_operations(operations: Iterable[tuple[OpcodeInfo, Any, int | None]]) -> None:
    builds, calling = 0, ""
    ordered: set[int] = set()
    for opcode, argument, _ in operations:
        name = opcode.name
        if not calling and name not in _WATCHED:
            continue
        if name == "GLOBAL" and not _ASKED_FOR.fullmatch(argument):
            raise InputError(
                f"asks for {shown(argument.replace(' ', '.'))}, which is no part of it"
            )
        builds += name == "BUILD"
        if builds > _MOST_BUILDS or (name == "PROTO" and argument != 2):
            raise InputError("is pickled in another way than torch.save does")
        # An OrderedDict would copy what it is called with, again and again: it gets nothing.
        if calling == "class" and name in _PUTS:
            ordered.add(argument)
        elif calling and name != {"class": "EMPTY_TUPLE", "arguments": "REDUCE"}[calling]:
            raise InputError("calls OrderedDict with arguments")
        elif calling:
            calling = "arguments" if calling == "class" else ""
        elif argument == _ORDERED or (name in _GETS and argument in ordered):
            calling = "class"
