"""What validators say of DICOM objects: dciodvfy where it is installed, and dcmqi's two readers."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import dcmqi
import pydicom
from pydicom.uid import SegmentationStorage

DCMQI = Path(dcmqi.__file__).parent / "bin"


def errors_of(path: Path) -> list[str]:
    """What is wrong with a SEG or a report."""
    found = [line for line in _dciodvfy(path) if line.startswith("Error")]
    with TemporaryDirectory() as folder:
        return found + _dcmqi(path, Path(folder))


def check_valid(*paths: Path) -> None:
    """Every test that writes one asks this."""
    assert {path.name: errors_of(path) for path in paths} == {path.name: [] for path in paths}


def tid1500(path: Path, out: Path) -> None:
    """What dcmqi reads of a report, as JSON."""
    said = _run([DCMQI / "tid1500reader", "--inputDICOM", path, "--outputMetadata", out])
    assert said.returncode == 0, said.stderr


def as_nifti(path: Path, folder: Path) -> None:
    """What dcmqi reads of a SEG: a NIfTI file of 0 and 1 a segment that meets no other."""
    words = ["--inputDICOM", path, "--outputDirectory", folder, "-t", "nifti"]
    said = _run([DCMQI / "segimage2itkimage", *words])
    assert said.returncode == 0, said.stderr


def _dciodvfy(path: Path) -> list[str]:
    return [] if which("dciodvfy") is None else _run(["dciodvfy", path]).stderr.splitlines()


def _dcmqi(path: Path, folder: Path) -> list[str]:
    """Why dcmqi cannot read it."""
    is_seg = pydicom.dcmread(path, stop_before_pixels=True).SOPClassUID == SegmentationStorage
    try:
        as_nifti(path, folder) if is_seg else tid1500(path, folder / "report.json")
    except AssertionError as error:
        return [f"dcmqi: {error}"]
    return [] if any(folder.iterdir()) else ["dcmqi reads nothing"]


def _run(words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)
