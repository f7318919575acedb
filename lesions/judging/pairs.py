"""CT volumes and their human masks, paired by name: `batches.Batch` as well.

The image is whatever `read_volume` reads, the mask such a volume of labels, or a DICOM SEG. What a
path is its name says.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lesions.errors import InputError
from lesions.labels import EMPTY
from lesions.lesion import LESION_TYPES, Lesion
from lesions.readers.deeplesion import Rejected, Remark
from lesions.readers.dicom import read_segmentation
from lesions.readers.dicom.archives import is_archive, members
from lesions.readers.from_mask import AS_PAPERS, Taking, take_lesions
from lesions.readers.hounsfield import check_hu
from lesions.readers.nifti import is_nifti, is_phantom_volume
from lesions.readers.volumes import grid_of, in_plain_words, read_volume
from lesions.volume import Volume

_NAMED = 3  # files that an error names


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One CT volume and its mask; every connected part of the mask is a lesion.

    Attributes:
        name: what the two files share: it stands for the patient.
        image, mask: the files, or the folder of a DICOM series.
        window: (low, high) HU of its lesions.
        label: the mask's value that is lesion, or a SEG's segment; None takes all but 0 and 255
            (uncertain), or all segments.
        lesion_type, split: of its lesions.
        values_are_hu: of the image, whatever their range says.
        taking: what of the mask is a lesion, and which its key slice.
    """

    name: str
    image: Path
    mask: Path
    window: tuple[float, float]
    label: int | None = None
    lesion_type: str = LESION_TYPES[0]
    split: str = "test"
    values_are_hu: bool = False
    taking: Taking = AS_PAPERS

    def read(self) -> Iterator[Lesion | Rejected | Remark]:
        """See `batches.Batch`."""
        try:
            for path, kind in ((self.image, "image"), (self.mask, "mask")):
                if not path.exists():
                    raise InputError(f"no {kind}: there is no {path.name}")
            volume = read_volume(self.image)
            if not self.values_are_hu:
                check_hu(volume.hu, self.image)
            mask = read_mask(self.mask, volume, self.label)
            found = take_lesions(volume, mask, self.taking, window=self.window)
        except InputError as error:
            yield from self.aside(error.advice)
        except Exception as error:  # one file must not end a batch; its reason says what happened
            yield from self.aside(f"{type(error).__name__}: {error}")
        else:
            yield from self._remarks(volume, mask)
            if not found.lesions and not found.aside:
                yield from self.aside(EMPTY)
            every: list[Lesion | Rejected] = [*found.lesions, *found.aside]
            for one in sorted(every, key=lambda one: one.row):
                # The two files share the name alone: each may be "ct.nii.gz" in its own folder.
                file = f"{self.name}_{one.file.rpartition('_')[2]}"
                if isinstance(one, Rejected):
                    yield replace(one, file=file)
                else:
                    yield replace(
                        one, file=file, patient=self.name, lesion_type=self.lesion_type,
                        split=self.split,
                    )  # fmt: skip

    def _remarks(self, volume: Volume, mask: Volume) -> Iterator[Remark]:
        """What is said of the two files; a SEG is put into its volume, and says what that does."""
        own = [words for words in mask.warnings if words not in volume.warnings]
        for path, said in ((self.image, volume.warnings), (self.mask, own)):
            yield from (Remark(file=path.name, words=words) for words in said)

    def aside(self, reason: str) -> list[Rejected]:
        """See `batches.Batch`."""
        return [Rejected(file=self.name, row=0, reason=reason)]


def read_mask(path: Path, volume: Volume, label: int | None = None) -> Volume:
    """The labels of a file, or of a DICOM SEG in the voxels of `volume`; InputError.

    Args:
        path: the file; a folder or a .zip that holds one file alone stands for it.
        volume: its CT.
        label: the value, or the segment, that is lesion: 1 in the result; None takes all as it is.
    """
    archive = is_archive(path)
    if path.is_dir() or archive:
        found = members(path) if archive else sorted(path.iterdir())
        files = [file for file in found if not file.name.startswith(".")]
        if len(files) != 1:
            raise InputError(f"holds {len(files)} files, not one mask", file=path)
        path = files[0]
    if archive or not grid_of(path):
        with in_plain_words(path):
            return read_segmentation(path, volume, label)
    mask = read_volume(path)
    return mask if label is None else replace(mask, hu=mask.hu == label)


def pairs_by_name(
    images: str, masks: str, window: tuple[float, float], label: int | None = None,
    values_are_hu: bool = False, taking: Taking = AS_PAPERS,
) -> list[Pair]:  # fmt: skip
    """Pair the files of two patterns with one `*` each: what it stands for must be the same.

    `imagesTr/*_0000.nii.gz` and `labelsTr/*.nii.gz` pair `imagesTr/a_0000.nii.gz` with
    `labelsTr/a.nii.gz`. A file without a partner makes a pair that reading sets aside.

    Args:
        images: the CTs' paths.
        masks: the masks' paths.
        window: (low, high) HU.
        label, values_are_hu, taking: see `Pair`.

    Raises:
        InputError: a pattern without exactly one `*`, one that no file matches, or not one pair.
    """
    (before, after), (other, end) = _halves(images), _halves(masks)
    found, theirs = _matches(images), _matches(masks)
    if found.keys().isdisjoint(theirs):
        alone = [str(path) for path in found.values()]
        more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
        raise InputError(
            f"no mask for {', '.join(alone[:_NAMED])}{more}",
            remedy="what * stands for must be the same in both patterns",
        )
    return [
        Pair(name=name, image=Path(before + name + after), mask=Path(other + name + end),
             window=window, label=label, values_are_hu=values_are_hu, taking=taking)
        for name in sorted(found.keys() | theirs.keys())
    ]  # fmt: skip


def are_phantom(pairs: Sequence[Pair]) -> bool:
    """Whether the lesions of pairs are made ones, as their masks' headers say.

    Raises:
        InputError: some are, and others not.
    """
    said = {}
    for pair in pairs:
        if is_nifti(pair.mask):
            with suppress(InputError):  # its own reading says what is wrong with it
                said[is_phantom_volume(pair.mask)] = pair.mask
    if len(said) > 1:
        raise InputError(
            "a phantom's, which is never measured together with real lesions", file=said[True],
            remedy="call once for each kind",
        )  # fmt: skip
    return True in said


def _halves(pattern: str) -> tuple[str, str]:
    """What is before and after the `*` of an absolute path; InputError without exactly one."""
    path = os.path.abspath(Path(pattern).expanduser())
    if path.count("*") != 1:
        raise InputError(
            f"the pattern {pattern!r} does not have exactly one *",
            remedy="name the files as in 'ct/*_ct.nii.gz', in quotes",
        )
    start, end = path.split("*")
    return start, end


def _matches(pattern: str) -> dict[str, Path]:
    """Each file that matches, by what `*` stands for."""
    start, end = _halves(pattern)
    files = sorted(glob.glob(f"{glob.escape(start)}*{glob.escape(end)}"))
    if not files:
        raise InputError(f"no file matches {pattern!r}")
    return {file[len(start) : len(file) - len(end)]: Path(file) for file in files}
