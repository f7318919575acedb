"""Voxels as a file of one volume stores them: read box by box into display order."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.readers.display import empty_in_display_order, spacing_of
from lesions.volume import MOST_VOXELS, Volume

AGAIN = "copy or download it again"
MOST_FRONT = 1 << 22  # bytes of a header
MOST_BYTES = 8 * MOST_VOXELS + MOST_FRONT
MOST_DEFLATED = 1032  # gzip and zlib shrink nothing further
_AT_ONCE = 1 << 18  # voxels, as float64 they fit a cache


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """The voxels of a file, not read yet; the first axis runs fastest.

    Attributes:
        stream: inflated, at the first voxel.
        shape: (I, J, K), or (I, J, K, 1).
        kind: of one voxel.
        affine: (4, 4), index (i, j, k, 1) → patient position (left, back, head, 1) in mm.
        scaling: (slope, intercept), None where there is none.
        warnings: what was chosen to read it, in sentences.
    """

    stream: IO[bytes]
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    affine: NDArray[np.float64]
    scaling: tuple[float | None, float | None] = (None, None)
    warnings: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[int, ...]:
        """(I, J, K)."""
        return self.shape[:3]


@contextmanager
def named(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into an InputError with the file's name.

    Args:
        path: the file.
        what: its format.
    """
    try:
        yield
    except InputError as error:
        raise InputError(error.reason, file=path, remedy=error.remedy) from None
    except EOFError:
        raise InputError(f"no readable {what}: it is cut off, its compressed data end early",
                         file=path, remedy=AGAIN) from None  # fmt: skip
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"no readable {what}: its compressed data are damaged, "
                         f"{shown(str(error))}", file=path, remedy=AGAIN) from None  # fmt: skip
    except Exception as error:  # libraries raise many kinds on a damaged file
        why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise InputError(f"no readable {what}: {shown(why)}", file=path) from None


def check_voxels(shape: tuple[int, ...], kind: np.dtype[Any], room: float) -> None:
    """InputError unless a file can hold such voxels, and a volume as many.

    Args:
        shape: as the header says.
        kind: of one voxel.
        room: bytes that the file may have of them, inflated.
    """
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
        raise InputError(f"has {len(shape)} axes, not 3")
    if min(shape) < 1:
        raise InputError(f"has no voxels: its shape is {shape}")
    if kind.kind not in "iuf":
        raise InputError(f"the voxels are {kind}, not numbers")
    voxels = math.prod(shape)
    said = f"{shape[0]} × {shape[1]} × {shape[2]} voxels"
    if voxels * kind.itemsize > room:
        raise InputError(f"cut off: too short for {said}", remedy=AGAIN)
    if voxels > MOST_VOXELS:
        raise InputError(f"has {said}, more than {MOST_VOXELS}")


def volume_of(stored: Stored, source: Path) -> Volume:
    """The volume, in little more memory than its own.

    Raises:
        InputError: tilted by more than a degree, cut off, or with values that are not whole
            numbers of 16 bits once rounded.
    """
    hu, into, affine = empty_in_display_order(stored.sides, stored.affine)
    _fill(into, stored)
    return Volume(
        hu=hu, spacing=spacing_of(affine), source=source, affine=affine, warnings=stored.warnings
    )


def reach(stored: Stored, low: float, high: float) -> bool:
    """Whether some voxel lies below `low` and another above `high`.

    No more is read than tells it: of a CT mostly one slice, of labels of 8 bits nothing.

    Raises:
        InputError: for all that the header tells `volume_of`, and what is damaged so far.
    """
    # Room that nobody fills takes no memory; this says whether the slices are axial.
    empty_in_display_order(stored.sides, stored.affine)
    if stored.kind.kind == "u" and stored.scaling == (None, None) and low <= 0:
        return False
    below = above = False
    for _, found in _boxed(stored):
        below, above = below or found.min() < low, above or found.max() > high
        if below and above:
            return True
    return False


def _fill(into: NDArray[np.int16], stored: Stored) -> None:
    """Read, scale and round the voxels box by box: a whole volume as float64 is four of them."""
    lost, low, high = 0, math.inf, -math.inf
    for box, found in _boxed(stored):
        least, most = np.rint(found.min()), np.rint(found.max())
        if not np.isfinite([least, most]).all():
            lost += int(np.count_nonzero(~np.isfinite(found)))
            continue
        low, high = min(low, least), max(high, most)
        if low >= -32768 and high <= 32767:
            into[box] = np.rint(found) if found.dtype.kind == "f" else found
    if lost:
        raise InputError(f"{lost} voxels are not finite")
    if low < -32768 or high > 32767:
        raise InputError(f"values from {low:g} to {high:g} do not fit 16 bits")


def _boxed(stored: Stored) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
    """Box by box, in the order in which they are stored: the scaled voxels."""
    shape, kind = stored.sides, stored.kind
    scaling = [None if given is None else np.float64(given) for given in stored.scaling]
    for box in _boxes(shape, _AT_ONCE):
        sides = tuple(len(range(*one.indices(side))) for one, side in zip(box, shape, strict=True))
        packed = stored.stream.read(math.prod(sides) * kind.itemsize)
        if len(packed) < math.prod(sides) * kind.itemsize:
            raise InputError("cut off: it ends before its last voxel", remedy=AGAIN)
        found = np.frombuffer(packed, kind).reshape(sides, order="F")
        yield box, apply_read_scaling(found, *scaling)


def _boxes(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Boxes of at most `most` voxels, one after the other as they are stored: x fastest."""
    *inner, last = shape
    step = most // math.prod(inner)
    for at in range(0, last, max(step, 1)):
        if step:
            yield *(slice(None) for _ in inner), slice(at, at + step)
        else:
            yield from ((*box, slice(at, at + 1)) for box in _boxes(tuple(inner), most))
