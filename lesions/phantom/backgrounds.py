"""Where made lesions are put: slices of real CT, and what their pixels are."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.phantom.noise import Noise, deviation_of, neighbours_of, noise_of
from lesions.readers.volumes import ENDINGS, grid_of, reaches, read_volume
from lesions.volume import Volume

SCANS = Path(__file__).parent / "scans"  # shipped; see its ATTRIBUTION.md
AIR = -300  # HU: what is below is air, or lung
TYPICAL_AIR, TYPICAL_BONE = -500, 300  # a CT has values below and above: masks have not
SMALLEST_BODY = 40  # cm²
SMALLEST_LUNG = 12  # cm²; bowel gas and the windpipe are smaller
SLICE_NOISE = (0.6, 1.4)  # of the scan's
HOSTS = ("lung", "parenchyma", "muscle", "fat")


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """One axial slice, and what lies where.

    Attributes:
        hu: (H, W) int16.
        spacing: (x, y, z) mm.
        name: its file's name without the ending, and the slice's number.
        hosts: by name of `HOSTS`, bool (H, W): where a lesion of that organ may have its middle.
        air: bool (H, W), outside the body, in lung or bowel.
        bone: bool (H, W), bone, metal and dense vessels.
        noise: its spectrum is its scan's, its deviation this slice's.
    """

    hu: NDArray[np.int16]
    spacing: tuple[float, float, float]
    name: str
    hosts: dict[str, NDArray[np.bool_]]
    air: NDArray[np.bool_]
    bone: NDArray[np.bool_]
    noise: Noise

    @property
    def has_hosts(self) -> bool:
        """Whether a lesion can lie anywhere in it."""
        return any(host.any() for host in self.hosts.values())


def find_scans(folder: Path) -> tuple[Path, ...]:
    """The CT volumes in a folder and below it, by name; masks beside them are left out.

    NIfTI, MetaImage and NRRD.

    Raises:
        InputError: there is no such folder, or no CT in it.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", file=folder, remedy="say --backgrounds")
    files = sorted(path for path in folder.rglob("*") if grid_of(path))
    scans = tuple(path for path in files if reaches(path, TYPICAL_AIR, TYPICAL_BONE))
    if not scans:
        raise InputError(
            "holds no CT volume",
            file=folder,
            remedy=f"name a folder of whole CT: {', '.join(ENDINGS)}",
        )
    return scans


@lru_cache(maxsize=8)
def read_scan(path: Path) -> Volume:
    """A CT volume, kept for the next lesion."""
    return read_volume(path)


@lru_cache(maxsize=8)
def _scan_noise(path: Path) -> Noise:
    scan = read_scan(path)
    return noise_of(scan.hu[:: max(1, len(scan.hu) // 12)])


@lru_cache(maxsize=8)
def scan_neighbours(path: Path) -> float:
    """How far the noise of a scan's neighbouring slices correlates."""
    return neighbours_of(read_scan(path).hu)


@lru_cache(maxsize=64)
def read_background(path: Path, at: int) -> Background:
    """Slice `at` of a scan, kept for the next lesion."""
    scan = read_scan(path)
    hu = scan.hu[at]
    smooth = cv2.GaussianBlur(hu.astype(np.float32), (0, 0), 2.0 / scan.spacing[0])
    body = _body(smooth, scan.spacing)
    lung = _lung(smooth, body, scan.spacing)
    return Background(
        hu=hu,
        spacing=scan.spacing,
        name=f"{path.name.partition('.')[0]}:{at}",
        hosts=_hosts(smooth, body, lung, scan.spacing),
        air=~body | (smooth < AIR),
        bone=body & (smooth > 250),
        noise=_slice_noise(hu, _scan_noise(path)),
    )


def _slice_noise(hu: NDArray[np.int16], scan: Noise) -> Noise:
    """At the slice's own strength, as far as noise differs within a scan: the rest is structure."""
    low, high = (factor * scan.deviation for factor in SLICE_NOISE)
    own = deviation_of(hu, scan.deviation)
    return replace(scan, deviation=min(max(own, low), high))


def _body(smooth: NDArray[np.float32], spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """The patient without the table: the largest part above air, its holes filled."""
    solid = cv2.morphologyEx((smooth > AIR).astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7)))
    body = np.zeros(smooth.shape, np.uint8)
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pixel = spacing[0] * spacing[1] / 100
    large = [one for one in outlines if cv2.contourArea(one) * pixel >= SMALLEST_BODY]
    if large:
        cv2.drawContours(body, [max(large, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return body > 0


def _lung(
    smooth: NDArray[np.float32], body: NDArray[np.bool_], spacing: tuple[float, ...]
) -> NDArray[np.bool_]:
    thin = (body & (smooth > -970) & (smooth < TYPICAL_AIR)).astype(np.uint8)
    thin = cv2.morphologyEx(thin, cv2.MORPH_OPEN, np.ones((5, 5)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(thin)
    areas = stats[:, cv2.CC_STAT_AREA] * (spacing[0] * spacing[1] / 100)
    keep = areas >= SMALLEST_LUNG
    keep[0] = False
    return np.asarray(keep[labels])


def _hosts(
    smooth: NDArray[np.float32],
    body: NDArray[np.bool_],
    lung: NDArray[np.bool_],
    spacing: tuple[float, ...],
) -> dict[str, NDArray[np.bool_]]:
    """By HU and depth: parenchyma is wide and even, muscle is the rest of what is soft."""
    soft = body & (smooth > 15) & (smooth < 180)
    wide = _deep(soft, 10 / spacing[0]) & (smooth > 75)  # enhanced: muscle has 50 to 70
    parenchyma = _near(wide, 8 / spacing[0]) & soft
    skin = ~_deep(body, 6 / spacing[0])
    fat = body & (smooth > -140) & (smooth < -50) & ~skin
    return {
        "lung": lung,
        "parenchyma": parenchyma,
        "muscle": soft & (smooth < 110) & ~parenchyma & ~skin,
        "fat": fat,
    }


def _deep(inside: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    return np.asarray(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) > pixels)


def _near(inside: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    return ~_deep(~inside, pixels)
