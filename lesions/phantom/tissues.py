"""What made lesions consist of, and how a scanner shows it.

Tissue is mixed by the lesion's share of each voxel, blurred as a scanner blurs, so that every
boundary has partial volume; where the lesion takes the background's place, noise of the same
spectrum is put back, as much as went with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesions.phantom.noise import Noise, draw_through
from lesions.phantom.stacks import along_z, distances

Image = NDArray[np.float32]

# Which tissue in which host, and how often.
KINDS: dict[str, dict[str, float]] = {
    "lung": {"solid": 0.6, "ground_glass": 0.2, "part_solid": 0.1, "calcified": 0.1},
    "parenchyma": {"solid": 0.55, "necrotic": 0.15, "rim": 0.15, "cystic": 0.1, "calcified": 0.05},
    "muscle": {"solid": 0.6, "necrotic": 0.2, "rim": 0.1, "cystic": 0.05, "calcified": 0.05},
    "fat": {"solid": 0.75, "necrotic": 0.1, "rim": 0.1, "calcified": 0.05},
}
CONTRAST = (20.0, 55.0)  # HU to either side, of tissue in tissue
DARKER = {"parenchyma": 0.8, "muscle": 0.5}  # how often; else brighter
SOFT = {"lung": (-20.0, 60.0), "fat": (20.0, 90.0)}  # HU, where the host is no soft tissue
PSF_MM = (0.45, 0.75)  # standard deviation in the plane
STRENGTH = (0.4, 1.6)  # of the slice's noise: further off is structure, or nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """The slices of a scan that a lesion is put into.

    Attributes:
        slices: which they are, ascending.
        spacing: (x, y, z) mm.
        noises: of each slice.
        neighbours: how far the noise of one correlates with the next one's.
    """

    slices: Sequence[int]
    spacing: tuple[float, float, float]
    noises: Sequence[Noise]
    neighbours: float = 0.0

    def some(self, numbers: Sequence[int]) -> "Surroundings":
        """Those of the slices alone."""
        return replace(
            self, slices=[self.slices[n] for n in numbers], noises=[self.noises[n] for n in numbers]
        )

    def noise(self, shape: tuple[int, int], random: np.random.Generator) -> Image:
        """Noise (D, H, W) as theirs."""
        return draw_through(self.noises, self.slices, self.neighbours, shape, random)


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """What a lesion consists of.

    Attributes:
        kind: a name of `KINDS`.
        outer: HU of the lesion, or of its shell.
        inner: HU of its core.
        core: the core's size by the lesion's; 0 without one.
        specks: HU of calcifications; 0 without.
        texture: standard deviation of its own unevenness, HU.
        texture_mm: the size of its grain.
        psf_mm: the scanner's blur.
    """

    kind: str
    outer: float
    inner: float = 0.0
    core: float = 0.0
    specks: float = 0.0
    texture: float
    texture_mm: float
    psf_mm: float


def draw_tissue(host: str, around: float, random: np.random.Generator) -> Tissue:
    """A tissue such as lesions in this host have.

    Args:
        host: where it is.
        around: HU of what it replaces.
        random: the source.
    """
    kinds = KINDS[host]
    kind = str(random.choice(list(kinds), p=list(kinds.values())))
    common = {
        "texture": random.uniform(2, 7),
        "texture_mm": random.uniform(1, 2.5),
        "psf_mm": random.uniform(*PSF_MM),
    }
    sign = -1 if random.uniform() < DARKER.get(host, 0.0) else 1
    solid = around + sign * random.uniform(*CONTRAST)
    if host in SOFT:
        solid = random.uniform(*SOFT[host])
    if kind == "ground_glass":
        return Tissue(kind=kind, outer=random.uniform(-680, -450), **_coarse(common))
    if kind == "part_solid":
        glass, core = random.uniform(-680, -450), random.uniform(0.35, 0.65)
        return Tissue(kind=kind, outer=glass, inner=solid, core=core, **_coarse(common))
    if kind == "cystic":
        common["texture"] = random.uniform(0, 2)
        outer = random.uniform(-2, 15)
        return Tissue(kind=kind, outer=min(outer, around - CONTRAST[0]), **common)
    if kind == "calcified":
        return Tissue(kind=kind, outer=solid, specks=random.uniform(150, 500), **common)
    if kind in ("necrotic", "rim"):
        thin = kind == "rim"
        shell = max(solid, around + random.uniform(*CONTRAST)) if thin else solid
        core = random.uniform(0.7, 0.85) if thin else random.uniform(0.4, 0.7)
        inner = min(shell - 25, random.uniform(8, 35))
        return Tissue(kind=kind, outer=shell, inner=inner, core=core, **common)
    return Tissue(kind=kind, outer=solid, **common)


def _coarse(common: dict[str, float]) -> dict[str, float]:
    """Ground glass is as uneven as the lung that it veils."""
    return common | {"texture": common["texture"] * 8}


def insert(
    around: NDArray[np.integer],
    share: Image,
    core_share: Image,
    tissue: Tissue,
    *,
    surroundings: Surroundings,
    random: np.random.Generator,
) -> NDArray[np.int16]:
    """Slices with the lesion in them.

    Args:
        around: HU (D, H, W) of the part of the slices that holds the lesion and its blur.
        share: (D, H, W) 0…1, the lesion's share of each voxel.
        core_share: the same of its core.
        tissue: what it consists of.
        surroundings: the slices' own geometry and noise.
        random: the source.
    """
    spacing = surroundings.spacing
    across, down = (tissue.psf_mm / side for side in spacing[:2])
    blurred = [_blurred(one, across, down) for one in (share, core_share)]
    lesion = np.full(share.shape, tissue.outer, np.float32)
    if tissue.core:
        # Both are shares of the voxel: the core's is that of the lesion's part of it.
        part = np.clip(blurred[1] / np.maximum(blurred[0], 1e-3), 0, 1)
        lesion += part * np.float32(tissue.inner - tissue.outer)
    lesion += tissue.texture * _grain(share.shape, tissue.texture_mm, surroundings, random)
    if tissue.specks:
        dots = _grain(share.shape, 0.9, surroundings, random)
        lesion += np.float32(tissue.specks) * np.clip((dots - 1.6) / 0.8, 0, 1)
    kept = 1 - blurred[0]
    lost = np.sqrt(np.maximum(0, 1 - kept**2))
    drawn = surroundings.noise(share.shape[1:], random)
    drawn *= np.float32(_strength(around, drawn, share > 0.5))
    made = kept * around + blurred[0] * lesion + lost * drawn
    return np.asarray(np.clip(np.rint(made), -32768, 32767), np.int16)


def _strength(around: NDArray[np.integer], drawn: Image, within: NDArray[np.bool_]) -> float:
    """How much stronger the noise of the place is than what was drawn, by their fine detail.

    A limb's or a shoulder's noise is not the same all over a slice.
    """
    there, ours = (np.abs(one - ndimage.gaussian_filter(one, 1.0, axes=(-2, -1)))
                   for one in (around.astype(np.float32), drawn))  # fmt: skip
    if not within.any() or not ours.any():
        return 1.0
    return float(np.clip(np.median(there[within]) / np.median(ours), *STRENGTH))


def _blurred(slices: Image, across: float, down: float) -> Image:
    return np.stack([cv2.GaussianBlur(one, (0, 0), across, sigmaY=down) for one in slices])


def _grain(
    shape: tuple[int, ...], size_mm: float, where: Surroundings, random: np.random.Generator
) -> Image:
    """A smooth random field (D, H, W) of unit deviation."""
    white = random.standard_normal(shape).astype(np.float32)
    sigma = [size_mm / side for side in where.spacing[:2]]
    # A Gaussian of σ leaves white noise 1 / (4π σ²) of its power.
    norm = np.sqrt(4 * np.pi * sigma[0] * sigma[1])
    fields = _blurred(white, *sigma) * np.float32(max(norm, 1))
    # As far along z as in the plane: two slices' middles correlate as its own values do.
    apart = distances(where.slices) * where.spacing[2] / size_mm
    return along_z(fields, np.exp(-(apart**2) / 4))
