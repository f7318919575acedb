"""A volume of any kind that is read; what a path is its name says."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lesions.errors import InputError
from lesions.readers import metaimage, nifti, nrrd
from lesions.readers.bounded import open_regular
from lesions.readers.contents import HEAD, unlike
from lesions.readers.dicom.archives import NO_DICOM
from lesions.readers.dicom.reading import read_dicom
from lesions.readers.voxels import Stored, reach, volume_of
from lesions.volume import Volume

_OPENERS: Mapping[str, tuple[tuple[str, ...], Callable[[Path], AbstractContextManager[Stored]]]] = {
    "nifti": (nifti.ENDINGS, nifti.open_nifti),
    "metaimage": (metaimage.ENDINGS, metaimage.open_metaimage),
    "nrrd": (nrrd.ENDINGS, nrrd.open_nrrd),
}
ENDINGS = tuple(ending for endings, _ in _OPENERS.values() for ending in endings)


def grid_of(path: Path) -> str:
    """The format of a file that holds one volume's grid of voxels: "nifti", "metaimage" or "nrrd".

    "" for all else, which is DICOM, or a PNG.
    """
    name = path.name.lower()
    found = (kind for kind, (endings, _) in _OPENERS.items() if name.endswith(endings))
    return "" if path.is_dir() else next(found, "")


def open_grid(path: Path) -> AbstractContextManager[Stored]:
    """The voxels of a file of which `grid_of` says something, not read yet; InputError."""
    return _OPENERS[grid_of(path)][1](path)


def read_volume(path: str | Path) -> Volume:
    """Read one CT volume, or a volume of labels, of whatever kind its name says.

    NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd), NRRD (.nrrd, .nhdr); all else is DICOM: a file, a
    .dcm.gz, a folder or a .zip with one CT series. The same volume is the same in all of them.

    Raises:
        InputError: it is none of these, holds several series, or for what its format's reader says.
    """
    volumes = read_volumes(Path(path))
    if len(volumes) != 1:
        raise InputError(f"holds {len(volumes)} CT series, not one", file=path)
    return volumes[0]


def read_volumes(path: Path) -> list[Volume]:
    """The volume of a file, or those of a DICOM folder or .zip; InputError where none is."""
    if grid_of(path):
        with open_grid(path) as stored:
            return [volume_of(stored, path)]
    with in_plain_words(path):
        return read_dicom(path)


@contextmanager
def in_plain_words(path: Path) -> Iterator[None]:
    """Say of a file that is no DICOM what else it is, and what to do about it."""
    try:
        yield
    except InputError as error:
        if error.reason != NO_DICOM or not path.is_file():
            raise
        with open_regular(path, 1 << 62) as file:
            words = unlike(file.read(HEAD), "DICOM")
        raise InputError(words.reason, file=path, remedy=words.remedy) from None


def reaches(path: Path, low: float, high: float) -> bool:
    """Whether some voxel of a file's grid lies below `low` and another above `high`; see `reach`.

    What is damaged further on is told by `read_volume`.
    """
    with open_grid(path) as stored:
        return reach(stored, low, high)
