"""The shape of a made lesion: an ellipsoid with spherical harmonics, and its share of each voxel.

In the lesion's own frame, whose axes are the ellipsoid's, the surface lies at exp(h) in each
direction, h being a random function of spherical harmonics up to `DEGREE`. The harmonics' power is
such that the cut through the middle has the outline harmonics that people's masks have.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import gammaln, lpmv

from lesions.phantom.measured import HARMONICS, LONG_AXIS_MM, SHORT_BY_LONG, Z_EXTENT_BY_LONG

Numbers = NDArray[np.float64]
_Floats = NDArray[np.float32]

DEGREE = 10
FIRST = 2  # the harmonics of degree 1 would only move the lesion
FINENESS = 12  # sub-samples along the smallest half axis
MOST_SAMPLES = 20  # of a voxel, along one axis
_ROUNDING = 1e-5  # of a radius between two others in 32 bits, and more
_HEIGHTS, _ANGLES = 64, 128  # of the table of radii: polar angle, and around


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A star-shaped solid.

    Attributes:
        axes: (3, 3), rows: the ellipsoid's half axes as vectors, (x, y, z) mm; the last along z.
        radii: (heights + 1, angles + 1), the surface in units of the half axes, by polar angle
            0…π and angle around 0…2π.
    """

    axes: Numbers
    radii: NDArray[np.float32]

    @property
    def surface(self) -> Numbers:
        """(heights + 1, angles + 1, 3): points of the surface, mm from the middle."""
        return np.asarray((_directions() * self.radii[..., None]) @ self.axes)

    def scaled(self, factor: float) -> "Shape":
        """The same shape, `factor` times as large."""
        return Shape(axes=self.axes * factor, radii=self.radii)

    def inside(self, points: Numbers) -> NDArray[np.bool_]:
        """Whether points (…, 3), mm from the middle, are inside.

        The radius between the table's directions is bilinear.
        """
        x, y, z = np.moveaxis((points @ np.linalg.inv(self.axes)).astype(np.float32), -1, 0)
        across = np.hypot(x, y)
        reach = np.hypot(across, z)
        inside = np.asarray(reach <= self.radii.min() * (1 - _ROUNDING))
        # Angles take most of the time: only where the surface is nearer here and farther there.
        open_ = ~inside & (reach <= self.radii.max() * (1 + _ROUNDING))
        inside[open_] = reach[open_] <= self._surface_at(
            x[open_], y[open_], z[open_], across[open_]
        )
        return inside

    def _surface_at(self, x: _Floats, y: _Floats, z: _Floats, across: _Floats) -> _Floats:
        """The radius (N,) in the direction of points (N,), in units of the half axes."""
        height = np.arctan2(across, z) * np.float32(_HEIGHTS / np.pi)
        around = np.arctan2(y, x) * np.float32(_ANGLES / 2 / np.pi)
        around[around < 0] += _ANGLES
        i = np.minimum(height.astype(np.intp), _HEIGHTS - 1)
        j = np.minimum(around.astype(np.intp), _ANGLES - 1)
        down, right = height - i, around - j
        flat, at = self.radii.ravel(), i * (_ANGLES + 1) + j
        upper = flat[at] * (1 - right) + flat[at + 1] * right
        at += _ANGLES + 1
        lower = flat[at] * (1 - right) + flat[at + 1] * right
        return np.asarray(upper * (1 - down) + lower * down)

    def fractions(self, spacing: tuple[float, float, float], centre: Numbers) -> "Fractions":
        """Its share of each voxel of a grid, by super-sampling the voxels at its surface.

        Args:
            spacing: (x, y, z) mm.
            centre: (x, y, z), the middle's place in voxels, voxel centres at integers.
        """
        step = np.asarray(spacing)
        surface = self.surface.reshape(-1, 3) / step + centre
        first = np.floor(surface.min(axis=0) - 0.5).astype(int)
        sides = np.ceil(surface.max(axis=0) + 0.5).astype(int) - first + 1
        apart = np.linalg.norm(self.axes, axis=1).min() / FINENESS
        counts = np.clip(np.ceil(step / apart), 2, MOST_SAMPLES).astype(int)
        corners = np.stack(np.meshgrid(*map(np.arange, sides + 1), indexing="ij"), axis=-1) - 0.5
        hit = self.inside((corners + first - centre) * step).astype(np.uint8)
        touched = sum(hit[x:x + sides[0], y:y + sides[1], z:z + sides[2]]
                      for x in (0, 1) for y in (0, 1) for z in (0, 1))  # fmt: skip
        values = (np.asarray(touched) == 8).astype(np.float32)
        # A thin lesion may pass between corners: every voxel near the surface is sampled too.
        near = (np.asarray(touched) % 8) > 0
        crossed = np.clip(np.rint(surface).astype(int) - first, 0, sides - 1)
        near[tuple(crossed.T)] = True
        voxels = np.argwhere(near)
        places = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
        offsets = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 3)
        for some in np.array_split(voxels, len(voxels) * len(offsets) // 500_000 + 1):
            points = (some[:, None] + offsets + first - centre) * step
            values[tuple(some.T)] = self.inside(points).mean(axis=1)
        return Fractions(values=np.ascontiguousarray(values.T), first=first, spacing=spacing)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fractions:
    """A lesion's share of each voxel of the box that holds it.

    Attributes:
        values: (D, H, W) float32, 0…1.
        first: (x, y, z) of the voxel `values[0, 0, 0]`.
        spacing: (x, y, z) mm.
    """

    values: NDArray[np.float32]
    first: NDArray[np.int_]
    spacing: tuple[float, float, float]

    @property
    def volume_mm3(self) -> float:
        """The exact volume: partial voxels count by their share."""
        return float(self.values.sum(dtype=np.float64) * np.prod(self.spacing))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(D, H, W): the voxels of which more than half is lesion."""
        return np.asarray(self.values > 0.5)

    @property
    def mask_volume_mm3(self) -> float:
        """The volume of its mask's voxels."""
        return float(self.mask.sum() * np.prod(self.spacing))

    def moved(self, voxels: NDArray[np.int_]) -> "Fractions":
        """The same shares so many whole voxels (x, y, z) away."""
        return replace(self, first=self.first + voxels)

    def on(self, at: int) -> NDArray[np.float32]:
        """(H, W): the shares on slice `at`, 0 beyond the box."""
        z = at - int(self.first[2])
        return self.values[z] if 0 <= z < len(self.values) else np.zeros_like(self.values[0])

    def mask_on(self, at: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """(H, W) of that shape: the mask on slice `at`, within a whole slice that holds it."""
        x, y = map(int, self.first[:2])
        own = self.on(at) > 0.5
        mask = np.zeros(shape, np.bool_)
        mask[y : y + own.shape[0], x : x + own.shape[1]] = own
        return mask


def ball(radius_mm: float) -> Shape:
    """A ball."""
    radii = np.ones((_HEIGHTS + 1, _ANGLES + 1), np.float32)
    return Shape(axes=np.eye(3) * radius_mm, radii=radii)


def draw_shape(random: np.random.Generator) -> Shape:
    """A shape whose axes, extent along z and outline follow the measured figures."""
    long = LONG_AXIS_MM.draw(random)
    sizes = (long, long * SHORT_BY_LONG.draw(random), long * Z_EXTENT_BY_LONG.draw(random))
    return shape_of(sizes, random)


def shape_of(sizes: tuple[float, float, float], random: np.random.Generator) -> Shape:
    """A random shape of given sizes, turned at random about z.

    Args:
        sizes: long and short axis of the cut through its middle, and extent along z, mm.
        random: the source of its harmonics and its turn.
    """
    basis, degrees = _basis()
    weights = random.normal(size=len(degrees)) * np.sqrt(_power()[degrees])
    radii = np.exp(basis @ weights).astype(np.float32)
    turn = random.uniform(0, 2 * np.pi)
    axes = np.diag(np.asarray(sizes) / 2)
    for _ in range(3):  # the harmonics move the axes a little: back to what was asked for
        shape = Shape(axes=axes, radii=radii)
        outline = shape.surface[_HEIGHTS // 2, :-1, :2]
        axes = axes @ _corrected(outline, sizes[0], sizes[1])
        height = np.ptp(shape.surface[..., 2])
        axes[2, 2] *= sizes[2] / height
    cos, sin = np.cos(turn), np.sin(turn)
    return Shape(axes=axes @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]), radii=radii)


def _corrected(outline: Numbers, long: float, short: float) -> Numbers:
    """The map (3, 3) of the plane that gives an outline (N, 2) these axes."""
    x, y = (side[:, None] - side for side in outline.T)
    a, b = np.unravel_index(np.argmax(x * x + y * y), x.shape)
    along = outline[b] - outline[a]
    reach = float(np.hypot(*along))
    along = along / reach
    across = np.array([-along[1], along[0]])
    width = float(np.ptp(outline @ across))
    plane = long / reach * np.outer(along, along) + short / width * np.outer(across, across)
    whole = np.eye(3)
    whole[:2, :2] = plane
    return whole


@cache
def _directions() -> Numbers:
    """(heights + 1, angles + 1, 3): the unit vectors of the table of radii."""
    height = np.linspace(0, np.pi, _HEIGHTS + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, _ANGLES + 1)
    x, y = np.sin(height) * np.cos(around), np.sin(height) * np.sin(around)
    return np.stack([x, y, np.cos(height) * np.ones_like(around)], axis=-1)


@cache
def _basis() -> tuple[Numbers, NDArray[np.int_]]:
    """The real, orthonormal spherical harmonics at the table's directions, and their degrees."""
    height = np.linspace(0, np.pi, _HEIGHTS + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, _ANGLES + 1)
    found, degrees = [], []
    for degree in range(FIRST, DEGREE + 1):
        for order in range(-degree, degree + 1):
            wave = np.cos(order * around) if order >= 0 else np.sin(-order * around)
            found.append(_legendre(degree, abs(order), height) * wave)
            degrees.append(degree)
    return np.stack(found, axis=-1), np.array(degrees)


def _legendre(degree: int, order: int, height: Numbers) -> Numbers:
    """The part of a real spherical harmonic that depends on the polar angle."""
    ratio = gammaln(degree - order + 1) - gammaln(degree + order + 1)
    norm = np.sqrt((2 * degree + 1) / (4 * np.pi) * np.exp(ratio) * (2 if order else 1))
    return np.asarray(norm * lpmv(order, degree, np.cos(height)))


@cache
def _power() -> Numbers:
    """(DEGREE + 1,): the variance of a harmonic of each degree.

    Such that the cut through the middle has the measured power in each harmonic, as nearly as
    variances that are not negative can.
    """
    middle = np.array([[np.pi / 2]])
    wanted = np.square(HARMONICS[FIRST - 1 :])
    orders, degrees = range(FIRST, DEGREE + 1), range(FIRST, DEGREE + 1)
    # Cosine and sine of an order both count in a harmonic's squared amplitude.
    table = [[2 * _legendre(degree, order, middle).item() ** 2 if order <= degree else 0.0
              for degree in degrees] for order in orders]  # fmt: skip
    weight = 1 / wanted[:, None]
    found, _ = nnls(np.array(table) * weight, wanted * weight[:, 0])
    return np.concatenate([np.zeros(FIRST), found])
