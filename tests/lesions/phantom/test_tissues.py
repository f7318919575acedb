"""Tissue in a slice: partial volume, blur, noise that nobody can tell from the scan's."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from lesions.phantom.noise import PATCH, Noise, deviation_of, draw_through, neighbours_of, noise_of
from lesions.phantom.tissues import KINDS, Surroundings, Tissue, draw_tissue, insert

SILENT = Noise(amplitude=np.ones((PATCH, PATCH)), deviation=0.0)
PLAIN = Tissue(kind="solid", outer=100, texture=0, texture_mm=1, psf_mm=0.01)
SPACING = (1.0, 1.0, 5.0)


def among(*noises: Noise) -> Surroundings:
    """So many slices."""
    return Surroundings(slices=range(len(noises)), spacing=SPACING, noises=noises)


def inserted(share: np.ndarray, tissue: Tissue, core: np.ndarray | None = None) -> np.ndarray:
    """Into an even slice of 20 HU without noise."""
    core = np.zeros_like(share) if core is None else core
    slice_hu = np.full(share.shape, 20)
    random = np.random.default_rng(0)
    return insert(slice_hu[None], share[None].astype(np.float32), core[None].astype(np.float32),
                  tissue, surroundings=among(SILENT), random=random)[0]  # fmt: skip


def test_a_voxel_is_mixed_by_the_lesions_share() -> None:
    share = np.zeros((9, 9))
    share[4, 2:6] = (0.25, 1, 0.5, 0.75)
    assert_array_equal(inserted(share, PLAIN)[4, 1:7], (20, 40, 100, 60, 80, 20))


def test_a_core_is_a_share_of_the_lesions_part() -> None:
    """Half background at 20, a quarter shell at 100, a quarter core at 40: 45."""
    share, core = np.full((5, 5), 0.5), np.full((5, 5), 0.25)
    tissue = replace(PLAIN, core=0.5, inner=40)
    assert_array_equal(inserted(share, tissue, core), 45)


def test_the_scanner_blurs_a_boundary_by_its_deviation() -> None:
    """An edge becomes the normal distribution function, 16 % and 84 % one deviation off."""
    share = np.zeros((40, 41))
    share[:, 20:] = 1
    profile = inserted(share, replace(PLAIN, outer=1020, psf_mm=2.0))[20]
    below = 20 - 0.5 - 2.0  # the edge lies between pixels 19 and 20
    assert np.interp(below, np.arange(41), profile) == pytest.approx(20 + 158.7, abs=12)


def test_noise_is_as_strong_at_the_boundary_as_beside_it() -> None:
    noise = Noise(amplitude=np.ones((PATCH, PATCH)), deviation=10.0)
    random = np.random.default_rng(1)
    around = random.normal(20, 10, (400, 400))
    share = np.full((1, 400, 400), 0.4, np.float32)
    (made,) = insert(np.rint(around).astype(int)[None], share, share * 0, replace(PLAIN, outer=20),
                     surroundings=among(noise), random=random)  # fmt: skip
    assert made[100:300, 100:300].std() == pytest.approx(10, rel=0.03)


def test_texture_hangs_together_along_z_as_in_the_plane() -> None:
    """Grain of 5 mm on slices 5 mm apart: neighbours correlate by e^(-1/4), the next by e^(-1)."""
    share = np.ones((3, 200, 200), np.float32)
    made = insert(np.zeros(share.shape, int), share, share * 0,
                  replace(PLAIN, texture=20.0, texture_mm=5.0), surroundings=among(*[SILENT] * 3),
                  random=np.random.default_rng(4))  # fmt: skip
    alike = np.corrcoef(made[:, 30:170, 30:170].reshape(3, -1))
    assert_allclose(alike[0], (1, np.exp(-0.25), np.exp(-1)), atol=0.08)


def test_noise_of_neighbouring_slices_correlates_as_the_scans() -> None:
    """Each slice is shared with the next: 0.4 of their noise, and none with the one after."""
    random = np.random.default_rng(5)
    white = random.normal(size=(13, 256, 256))
    scan = np.rint(60 + 10 * (white[1:] + 0.5 * white[:-1]) / np.sqrt(1.25)).astype(np.int16)
    neighbours = neighbours_of(scan)
    assert neighbours == pytest.approx(0.4, abs=0.05)
    assert neighbours_of(np.full((4, 64, 64), -1000, np.int16)) == 0
    noises = [Noise(amplitude=np.ones((PATCH, PATCH)), deviation=one) for one in (5.0, 10.0, 20.0)]
    made = draw_through(noises, (7, 8, 10), neighbours, (200, 200), random)
    assert_allclose(made.std(axis=(1, 2)), (5, 10, 20), rtol=0.03)
    alike = np.corrcoef(made.reshape(3, -1))
    assert_allclose(alike[0], (1, neighbours, 0), atol=0.03)
    assert alike[1, 2] == pytest.approx(0, abs=0.03)  # two slices apart


@pytest.mark.parametrize("there", [6.0, 14.0])
def test_noise_is_as_strong_as_at_the_lesions_place(there: float) -> None:
    """The slice's noise has 10 HU, that of the place less or more."""
    random = np.random.default_rng(4)
    noise = Noise(amplitude=np.ones((PATCH, PATCH)), deviation=10.0)
    share = np.ones((200, 200), np.float32)
    around = np.rint(random.normal(20, there, share.shape)).astype(int)
    made = insert(around[None], share[None], share[None] * 0, PLAIN, surroundings=among(noise),
                  random=random)[0]  # fmt: skip
    assert made.std() == pytest.approx(there, rel=0.03)


def spectrum(image: np.ndarray) -> np.ndarray:
    """Power by distance from frequency 0, in eight rings, of unit sum."""
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    y, x = np.meshgrid(*(np.fft.fftfreq(side) for side in image.shape), indexing="ij")
    ring = np.minimum((np.hypot(x, y) / 0.5 * 8).astype(int), 7)
    total = np.bincount(ring.ravel(), power.ravel(), 8)
    return np.asarray(total / total.sum())


def test_made_noise_has_the_scans_spectrum_and_strength() -> None:
    random = np.random.default_rng(2)
    white = random.normal(size=(4, 256, 256))
    grainy = ndimage.gaussian_filter(white, (0, 1.0, 1.0), mode="wrap")
    scan = np.rint(60 + 15 * grainy / grainy.std()).astype(np.int16)
    noise = noise_of(scan)
    (made,) = draw_through([noise], (0,), 0.0, (256, 256), random)
    assert made.std() == pytest.approx(15, rel=0.12)
    assert_allclose(spectrum(made), spectrum(scan[0].astype(float)), atol=0.05)
    assert deviation_of(scan[0] // 2 + 30, 0.0) == pytest.approx(7.5, rel=0.15)


def test_a_scan_of_air_has_the_noise_that_is_usual() -> None:
    air = np.full((2, 64, 64), -1000, np.int16)
    assert noise_of(air).deviation == 12.0
    assert deviation_of(air[0], 5.0) == 5.0


@pytest.mark.parametrize("host", KINDS)
def test_every_kind_is_drawn_and_can_be_seen(host: str) -> None:
    around = {"lung": -850.0, "parenchyma": 105.0, "muscle": 55.0, "fat": -100.0}[host]
    random = np.random.default_rng(3)
    drawn = [draw_tissue(host, around, random) for _ in range(400)]
    assert {one.kind for one in drawn} == set(KINDS[host])
    assert min(abs(one.outer - around) for one in drawn) >= 20
    for one in drawn:
        assert (one.core > 0) == (one.kind in ("necrotic", "rim", "part_solid"))
        assert (one.specks > 0) == (one.kind == "calcified")
        if one.kind in ("necrotic", "rim"):
            assert one.inner <= one.outer - 25
        if one.kind == "ground_glass":
            assert -680 <= one.outer <= -450
