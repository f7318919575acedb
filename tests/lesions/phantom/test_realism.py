"""Made lesions look as real ones do where that was found; and what measures it measures right."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lesions.phantom import inserting
from lesions.phantom.backgrounds import SCANS, read_background, read_scan
from lesions.phantom.inserting import Canvas
from lesions.readers.deeplesion import read_deeplesion
from lesions.sample import ROOT as SAMPLE
from tests.bench.realism.measures import INNER_MM, Look, band_power, look, signed_mm
from tests.bench.realism.pairs import shape_like
from tests.bench.realism.telling import told

SPACING = (0.8, 0.8, 5.0)
LIVER, CHEST = SCANS / "CRLM-CT-1004_ct.nii.gz", SCANS / "LIDC-IDRI-0001_ct.nii.gz"

Power = np.ndarray | None


def disc(radius_mm: float, away: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:96, :96] * SPACING[0]
    return np.hypot(x - 38 - away, y - 38) < radius_mm


@pytest.mark.parametrize("sigma", [0.6, 1.5])
def test_contrast_and_edge_are_what_they_were_made(sigma: float) -> None:
    mask = disc(15)
    hu = 50 + 40 * gaussian_filter(mask.astype(float), sigma / SPACING[0])
    found = look(hu, mask, SPACING, 10.0)
    assert found is not None
    assert (found.inside, found.around) == pytest.approx((90, 50), abs=1.5)
    assert found.edge_mm == pytest.approx(sigma, rel=0.15)


def test_an_edge_is_as_sharp_by_a_mask_that_is_displaced() -> None:
    hu = 50 + 40 * gaussian_filter(disc(15).astype(float), 0.7 / SPACING[0])
    found = look(hu, disc(15, away=2.0), SPACING, 10.0)
    assert found is not None
    assert found.edge_mm == pytest.approx(0.7, abs=0.1)


def test_power_is_by_band_and_blind_to_slopes() -> None:
    random = np.random.default_rng(0)
    white, within = random.normal(0, 10, (96, 96)), np.ones((96, 96), bool)
    slope = np.mgrid[:96, :96].sum(axis=0) * 3.0
    power = band_power(white + slope, within)
    assert power is not None
    np.testing.assert_allclose(power, band_power(white, within))
    np.testing.assert_allclose(power[1:] / power[1:].mean(), 1, atol=0.1)
    np.testing.assert_allclose(band_power(2 * white, within), 4 * power)
    assert band_power(white, disc(2)) is None


def test_the_interval_is_over_patients() -> None:
    made = np.arange(40) % 2 == 1
    few, many = np.repeat(["a", "b", "c", "d"], 10), np.repeat([f"{n:02}" for n in range(20)], 2)
    random = np.random.default_rng(0)
    chance = random.normal(size=(2, 40))
    assert told(made[None] + chance / 100, made, many).auc == 1
    found = told(chance, made, many)
    assert found.low < 0.5 < found.high
    # What differs by patient alone widens the interval of few patients, and moves no AUC of many.
    assert told(chance, made, few).auc == found.auc


def made_in(scan: Path, host: str, every: int) -> list[tuple[Look, Power, Power]]:
    """The looks of made lesions of 22 mm, and the power inside and at the same place before."""
    random, found = np.random.default_rng(0), []
    for at in range(0, len(read_scan(scan).hu), every):
        whole = read_background(scan, at)
        only = {name: of & (name == host) for name, of in whole.hosts.items()}
        canvas = Canvas(replace(whole, hosts=only))
        for _ in range(4 * only[host].any()):
            with mock.patch.object(inserting, "draw_shape", partial(shape_like, (22, 18))):
                one = canvas.add(random)
            if one is None:
                continue
            noise = whole.noise.deviation
            seen = look(canvas.hu, one.mask, whole.spacing, noise, lung=host == "lung")
            inner = signed_mm(one.mask, whole.spacing) < -INNER_MM
            if seen is not None:
                found.append((seen, band_power(canvas.hu, inner), band_power(whole.hu, inner)))
    return found


def test_the_noise_inside_is_that_of_the_place_in_every_band() -> None:
    """Where the background is even, in the liver; the bound is docs/phantom.md's."""
    found = made_in(LIVER, "parenchyma", every=5)
    ratios = [after / before for _, after, before in found if after is not None]
    assert len(ratios) >= 15
    low, middle, high = np.median(ratios, axis=0)
    assert (low, middle, high) == pytest.approx((1, 1, 1), rel=0.25)


def test_edges_in_lung_are_as_sharp_as_the_samples_nodules() -> None:
    """Median σ on 18 slices of two patients' nodules beside made ones; docs/phantom.md's bound."""
    lesions, _ = read_deeplesion(SAMPLE)
    looks = [look(one.slice_hu, one.mask("human") > 0, one.spacing, 1.0, lung=True)
             for one in lesions if one.lesion_type == "lung"]  # fmt: skip
    real = [one.edge_mm for one in looks if one is not None]
    made = [one.edge_mm for one, _, _ in made_in(CHEST, "lung", every=2)]
    assert min(len(real), len(made)) >= 10
    assert np.nanmedian(made) == pytest.approx(np.nanmedian(real), abs=0.3)
