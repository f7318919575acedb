"""Backgrounds know what lies where, and lesions go where such lesions are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesions import InputError
from lesions.phantom.backgrounds import HOSTS, Background, find_scans, read_background
from lesions.phantom.inserting import Canvas, Made
from lesions.phantom.places import DEEP, NEAR, Layer, find_place
from tests.lesions.phantom.torso import SIDE, SLICES, SPACING, write_torso

ABDOMEN, CHEST = 0, SLICES - 1


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_torso(tmp_path_factory.mktemp("torso") / "a" / "torso.nii.gz")


def middle_of(background: Background, host: str) -> np.ndarray:
    return np.argwhere(background.hosts[host]).mean(axis=0)[::-1]


def test_tissues_are_found_by_hu_and_depth(scan: Path) -> None:
    abdomen, chest = read_background(scan, ABDOMEN), read_background(scan, CHEST)
    assert not abdomen.hosts["lung"].any()
    assert chest.hosts["lung"].sum() * 4 == pytest.approx(2 * np.pi * 26 * 34 * 4, rel=0.15)
    assert np.allclose(middle_of(abdomen, "parenchyma"), [SIDE / 2 - 24.5, SIDE / 2 - 4.5], atol=6)
    for background in (abdomen, chest):
        whole = sum(background.hosts[host].astype(int) for host in HOSTS)
        assert whole.max() == 1
        assert background.bone[134, 96]
        assert background.air[5, 5]
        assert background.spacing == SPACING


def test_masks_beside_scans_are_no_backgrounds(scan: Path, tmp_path: Path) -> None:
    import nibabel

    mask = nibabel.Nifti1Image(np.ones((8, 8, 8), np.uint8), np.eye(4))
    mask.to_filename(scan.parent / "torso_mask.nii.gz")
    assert find_scans(scan.parents[1]) == (scan,)
    with pytest.raises(InputError, match="holds no CT"):
        find_scans(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_scans(tmp_path / "nothing")


@pytest.mark.parametrize(("at", "host"), [(ABDOMEN, "parenchyma"), (CHEST, "lung"),
                                          (ABDOMEN, "fat"), (CHEST, "muscle")])  # fmt: skip
def test_a_lesion_lies_in_its_host_and_not_across_air(scan: Path, at: int, host: str) -> None:
    background = read_background(scan, at)
    y, x = np.mgrid[:9, :9] - 4
    footprint = np.hypot(x, y) <= 4
    random = np.random.default_rng(0)
    free = np.zeros((SIDE, SIDE), bool)
    layer = Layer(background=background, footprint=footprint, taken=free)
    shares = []
    for _ in range(40):
        place = find_place([layer], 0, host, random)
        if place is None:
            continue
        left, top = place.corner
        box = slice(top, top + 9), slice(left, left + 9)
        share = background.hosts[host][box][footprint].mean()
        assert share >= (NEAR if place.near else DEEP)
        shares.append(share)
        assert host == "lung" or not background.air[box][footprint].any()
    assert len(shares) > 5
    assert min(shares) < 1


def test_there_is_no_place_where_all_is_taken_or_the_host_is_absent(scan: Path) -> None:
    background = read_background(scan, ABDOMEN)
    footprint, taken = np.ones((5, 5), bool), np.ones((SIDE, SIDE), bool)
    full = Layer(background=background, footprint=footprint, taken=taken)
    free = replace(full, taken=~taken)
    random = np.random.default_rng(0)
    assert find_place([full], 0, "parenchyma", random) is None
    assert find_place([free, full], 0, "parenchyma", random) is None
    assert find_place([free], 0, "lung", random) is None


def test_a_lesion_fits_on_all_its_slices(scan: Path) -> None:
    """Where the next slice has lung, nothing of the liver reaches."""
    below, above = (read_background(scan, at) for at in (SLICES // 2 - 1, SLICES // 2))
    footprint, free = np.ones((9, 9), bool), np.zeros((SIDE, SIDE), bool)
    layers = [Layer(background=one, footprint=footprint, taken=free) for one in (below, above)]
    random = np.random.default_rng(0)
    found = [find_place(layers, 0, "muscle", random) for _ in range(30)]
    places = [place for place in found if place]
    assert places
    for place in places:
        left, top = place.corner
        assert not above.air[top : top + 9, left : left + 9].any()


@pytest.fixture(scope="module")
def crowded(scan: Path) -> tuple[Canvas, list[Made]]:
    """Six lesions, each with one like it."""
    canvas, random = Canvas(read_background(scan, CHEST)), np.random.default_rng(5)
    asked = [one for _ in range(6) if (one := canvas.add(random))]
    unasked = [two for one in asked if (two := canvas.add(random, like=one))]
    assert len(asked) + len(unasked) > 6
    assert {one.tissue for one in unasked} <= {one.tissue for one in asked}
    return canvas, [*asked, *unasked]


def test_lesions_of_a_slice_do_not_overlap(crowded: tuple[Canvas, list[Made]]) -> None:
    _, made = crowded
    assert sum(one.mask.astype(int) for one in made).max() == 1
    assert all(one.mask.sum() > 0 for one in made)


def test_pixels_far_from_any_lesion_stay_as_they_were(crowded: tuple[Canvas, list[Made]]) -> None:
    from scipy.ndimage import distance_transform_edt

    canvas, made = crowded
    whole = np.any([one.mask for one in made], axis=0)
    far = distance_transform_edt(~whole, sampling=SPACING[:2]) > 16
    assert far.any()
    assert (canvas.hu[far] == canvas.background.hu[far]).all()
    assert (canvas.hu[whole] != canvas.background.hu[whole]).mean() > 0.9


def test_a_lesions_middle_has_its_hu(crowded: tuple[Canvas, list[Made]]) -> None:
    from scipy.ndimage import binary_erosion

    canvas, made = crowded
    checked = 0
    for one in made:
        inner = binary_erosion(one.mask, iterations=1)
        if one.tissue.kind == "solid" and inner.sum() > 4:
            assert canvas.hu[inner].mean() == pytest.approx(one.tissue.outer, abs=40)
            checked += 1
    assert checked
