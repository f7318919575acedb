"""From lesions in boxes to AHRNet's views and back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions import InputError, Lesion
from lesions.prompts import Box, Case
from tests.trainables.runs import lesion
from trainables.ahrnet import AHRNetSystem
from trainables.ahrnet.config import AHRNetConfig, SamplesConfig, paper, tiny
from trainables.ahrnet.samples import BoxedLesions, training_sample, view
from trainables.loader import batches
from trainables.roles import Draw
from trainables.system import Prediction

ENDS = [[40, 50], [72, 66], [60, 48], [51, 68]]
SHAPES = [(100, 120), (160, 110), (512, 512)]


def config_of(**samples: Any) -> AHRNetConfig:
    samples_config = replace(tiny().samples, **samples)
    return replace(tiny(), pseudo_mask="snakes", samples=samples_config)


def asked(low: tuple[float, float], high: tuple[float, float], config: AHRNetConfig) -> Any:
    box = Box(low=low, high=high)
    hu = np.zeros((400, 400), np.int16)
    case = Case(slice_hu=hu, window=(-160.0, 240.0), spacing=(0.8, 0.8, 5.0), prompt=box)
    return view(config, case)


@pytest.mark.parametrize(
    ("side", "size", "seen"),
    [
        (20.0, 128, 50.0),  # 2.5 × 20 = 50 pixels, enlarged to the smallest size
        (51.2, 128, 128.0),  # just the smallest
        (60.0, 160, 160.0),  # 150 pixels: as they are, and 10 more seen, never resampled
        (64.0, 160, 160.0),
        (102.4, 256, 256.0),  # just the largest
        (200.0, 256, 500.0),  # 500 pixels, shrunk
    ],
)
def test_the_view_at_test_by_hand(side: float, size: int, seen: float) -> None:
    crop = asked((100, 100), (100 + side, 100 + side / 2), paper())
    assert (crop.size, crop.side) == (size, pytest.approx(seen))
    assert crop.centre == pytest.approx((100 + side / 2, 100 + side / 4))
    assert (crop.angle, crop.flip_x, crop.flip_y) == (0, False, False)


@given(side=st.floats(1, 600), sizes=st.sampled_from([(64, 96), (128, 256), (32,)]))
def test_the_view_holds_its_box_and_fits_the_network(side: float, sizes: Any) -> None:
    crop = asked((10, 10), (10 + side, 10 + side / 3), config_of(sizes=sizes))
    assert crop.size % 32 == 0
    assert sizes[0] <= crop.size <= sizes[-1]
    assert crop.side >= 2.5 * side * (1 - 1e-9)
    if sizes[0] <= 2.5 * side <= sizes[-1]:
        assert crop.side == pytest.approx(crop.size)  # the slice's own pixels


def bright(shape: tuple[int, int] = (100, 120)) -> Lesion:
    """Its ellipse is white, all else black: the image must follow the mask."""
    return lesion(ENDS, shape)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from(SHAPES), size=st.sampled_from([64, 128]))
def test_image_mask_and_region_move_together(seed: int, shape: tuple[int, int], size: int) -> None:
    one = bright(shape)
    config = config_of(intensity=0.0, blur=0.0)
    sample = training_sample(config, one, size, np.random.default_rng(seed))
    image, labels = sample["image"][0].numpy(), sample["labels"][0].numpy()
    assert image.shape == labels.shape == (size, size)
    assert labels.any()
    different = (image > 0.5) != (labels == 1)
    assert different.sum() <= 0.25 * labels.sum()  # of the outline, by interpolation alone
    region = sample["rls_region"][0].numpy()
    assert region[labels == 1].all()
    assert torch.equal(sample["rls_image"], sample["image"])


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_the_whole_lesion_is_in_every_upright_view(seed: int) -> None:
    one = bright((512, 512))
    sample = training_sample(config_of(rotation=0.0), one, 128, np.random.default_rng(seed))
    labels = sample["labels"][0].numpy()
    rows, columns = np.nonzero(labels)
    seen = max(np.ptp(rows), np.ptp(columns)) + 1
    assert 128 / 3.5 - 4 <= seen <= 128 / 2 + 4  # 2 to 3.5 boxes
    middle = np.array([columns.mean(), rows.mean()])
    # A quarter of the box's long side, on a slice as wide as the view or a third of it.
    assert (np.abs(middle - 63.5) <= 0.25 * 128 / 2 + 3).all()


def test_a_batch_has_one_size_and_batches_differ() -> None:
    config = config_of(sizes=(64, 96, 128))
    lesions = BoxedLesions(config, [bright()] * 40)
    sizes = []
    for batch in batches(len(lesions), 4, seed=3, epoch=1):
        (size,) = {lesions[draw]["image"].shape[-1] for draw in batch}
        sizes.append(size)
    assert set(sizes) == {64, 96, 128}


def test_a_sample_is_a_function_of_seed_epoch_and_place() -> None:
    lesions = BoxedLesions(config_of(), [bright()])
    draw = Draw(seed=1, epoch=2, index=0, batch=5)
    for one, other in ((draw, draw), (draw, replace(draw, epoch=3))):
        same = [
            torch.equal(a, b)
            for a, b in zip(lesions[one].values(), lesions[other].values(), strict=True)
            if a.shape == b.shape
        ]
        assert all(same) == (one == other)


def test_its_box_is_one_that_a_person_draws() -> None:
    one = bright()
    box = AHRNetSystem().telling([tiny()]).of(one)
    x0, y0, x1, y1 = one.recist.bounds
    assert box.low <= (x0, y0)
    assert box.high >= (x1, y1)
    assert box.side <= 1.2 * max(x1 - x0, y1 - y0) + 1e-9


def test_the_next_rounds_mask_is_what_prediction_and_ellipse_agree_on() -> None:
    one = bright()
    ellipse = one.mask("snakes")  # it is one
    predicted = np.roll(ellipse, 6, axis=1)
    config = config_of()
    made = AHRNetSystem().relabel(config, one, Prediction(mask=predicted))[config.pseudo_mask]
    both, either = (ellipse & predicted) == 1, (ellipse | predicted) == 1
    assert np.array_equal(made.mask == 1, both)
    assert np.array_equal(made.mask == 255, either & ~both)
    assert made.refined is not None
    assert np.array_equal(made.refined, predicted)
    again = AHRNetSystem().recipe(replace(config, rounds=3))
    assert [phase.relabels for phase in again] == [False, False, True, False, True, False]
    assert [phase.begins for phase in again[::2]] == ["fresh"] * 3


def test_settings_that_cannot_be() -> None:
    for wrong in (
        {"sizes": ()},
        {"sizes": (100,)},
        {"sizes": (96, 64)},
        {"sizes": (64, 64)},
        {"side": (0.5, 2.0)},
        {"side": (3.0, 2.0)},
        {"test_side": 0.5},
        {"blur": -1.0},
        {"shift": -0.1},
    ):
        with pytest.raises(InputError):
            SamplesConfig(**wrong)  # type: ignore[arg-type]
