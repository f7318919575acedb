"""A click through both stages: the right lesion, in the right place, however the view is turned."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lesions import InputError, Recist
from lesions.heatmaps import endpoints, heatmaps
from lesions.prompts import Box, Case, Click, TellClick, case_of
from lesions.recist import canonical_order
from tests.discs import (
    SHAPE,
    SPACING,
    WINDOW,
    Checkpoints,
    config_of,
    dice,
    lesions_of,
    middle_of,
    slice_with_discs,
)
from trainables.crops import Crop
from trainables.evaluate import measure, summarise
from trainables.parts import Parts, load_parts
from trainables.pdnet.model import Outputs
from trainables.pdnet.two_stages import (
    FALLBACK_MM,
    FLIPS,
    TwoStages,
    crop_around,
    flipped,
    unflipped_maps,
)
from trainables.system import How, Trained

CPU = torch.device("cpu")


def at(
    hu: NDArray[np.int16], click: tuple[float, float], spacing: tuple[float, float, float] = SPACING
) -> Case:
    return Case(slice_hu=hu, window=WINDOW, spacing=spacing, prompt=Click(at=click))


@pytest.fixture(scope="module")
def parts(two_checkpoints: Checkpoints) -> Parts:
    return load_parts(two_checkpoints, CPU)


@pytest.fixture(scope="module")
def both(parts: Parts) -> TwoStages:
    return TwoStages(stage1=parts.trained[0], stage2=parts.trained[1], how=parts.how)


def averaged(both: TwoStages) -> TwoStages:
    return replace(both, how=replace(both.how, tta=True))


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("corner", range(4))
def test_each_corners_lesion(both: TwoStages, corner: int, tta: bool) -> None:
    hu, masks = slice_with_discs(100)
    result = (averaged(both) if tta else both)(at(hu, middle_of(masks[corner])))
    assert result.found
    assert result.mask is not None
    assert result.mask.shape == hu.shape
    assert dice(result.mask, masks[corner]) > 0.85
    assert [dice(result.mask, other) for other in masks].count(0) == 3
    assert result.recist is not None
    # The endpoints lie around the lesion too: their crossing is in it.
    x, y = np.rint(result.recist.centre).astype(int)
    assert masks[corner][y, x] == 1
    assert all(spread is not None and 0 < spread < 20 for spread in result.spread_mm)
    assert set(result.seconds) == {"stage1", "stage2"}


def test_stage_2_sees_two_and_a_half_long_sides(both: TwoStages) -> None:
    hu, masks = slice_with_discs(101)
    result = both(at(hu, middle_of(masks[2])))
    rows, columns = np.nonzero(masks[2])
    long_side = max(np.ptp(rows), np.ptp(columns)) + 1
    assert result.square is not None
    centre, side = result.square
    assert side == pytest.approx(2.5 * long_side, rel=0.3)
    middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
    assert np.abs(np.array(centre) - middle).max() < 4


def test_the_crop_around_a_part() -> None:
    config, part = config_of(2), np.zeros((50, 60), bool)
    part[10:14, 20:30] = True
    crop = crop_around(config, part, (25, 12))
    assert crop == Crop(centre=(24.5, 11.5), side=25.0, size=64)
    assert crop_around(config, part, (37, 12)) == crop
    assert crop_around(config, part, (37.1, 12)) is None
    assert crop_around(config, part & False, (25, 12)) is None


class Silent(nn.Module):
    """Segments nothing; each heat map peaks in one corner of its own."""

    def forward(self, inputs: torch.Tensor) -> Outputs:
        count, _, height, width = inputs.shape
        corners = [(1, 1), (width - 2, 1), (1, height - 2), (width - 2, height - 2)]
        maps = torch.from_numpy(heatmaps(corners, (height, width), 3.0))
        mask = torch.full((count, 1, height, width), -9.0)
        return Outputs([mask], [maps.expand(count, -1, -1, -1)])


def test_nothing_found_falls_back_to_the_click() -> None:
    stages = [Trained(config=config_of(number), model=Silent()) for number in (1, 2)]
    silent = TwoStages(stage1=stages[0], stage2=stages[1], how=How(device=CPU))
    hu, _ = slice_with_discs(100)
    result = silent(at(hu, (30.0, 40.0), (0.5, 0.5, 5.0)))
    assert not result.found
    assert result.doubt == "stage 1 found no lesion at the click: measured as one of 20 mm"
    assert result.square == ((30.0, 40.0), 2.5 * FALLBACK_MM / 0.5)
    assert result.mask is not None
    assert not result.mask.any()
    assert result.recist is not None


@pytest.mark.parametrize("click", [(-1, 5), (SHAPE[1], 5), (5, SHAPE[0]), (float("nan"), 5)])
def test_a_click_outside(parts: Parts, click: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="outside"):
        next(parts.predict([at(np.zeros(SHAPE, np.int16), click)]))


@pytest.mark.parametrize("flip", FLIPS)
def test_flipped_maps_come_back_in_canonical_order(flip: tuple[bool, bool]) -> None:
    """What a perfect network sees in a mirrored view, put back, is what it sees without."""
    recist = Recist([(12, 30), (50, 20), (25, 8), (36, 45)])
    view = Crop(centre=(31.5, 31.5), side=64.0, size=64)
    mirrored = replace(view, flip_x=flip[0], flip_y=flip[1])
    seen = Recist(mirrored.points(recist.points))  # canonical in the mirrored view
    maps = torch.from_numpy(heatmaps(seen.points, (64, 64), 3.0))
    points, _ = endpoints(unflipped_maps(maps, *flip).numpy())
    assert points == pytest.approx(recist.points, abs=1e-3)


@pytest.mark.parametrize("flip", FLIPS)
def test_a_flipped_image_is_the_mirrored_crops(flip: tuple[bool, bool]) -> None:
    hu, _ = slice_with_discs(100)
    view = Crop(centre=(70.0, 50.0), side=64.0, size=64)
    mirrored = replace(view, flip_x=flip[0], flip_y=flip[1]).image(hu, WINDOW)
    image = flipped(torch.from_numpy(view.image(hu, WINDOW)), *flip)
    assert image.numpy() == pytest.approx(mirrored, abs=1e-5)


def test_tta_does_not_depend_on_how_the_slice_is_mirrored(both: TwoStages) -> None:
    """Averaged over all flips, the mirrored slice gives the mirrored answer."""
    hu, masks = slice_with_discs(102)
    x, y = middle_of(masks[1])
    cases = [at(hu, (x, y)), at(hu[::-1, ::-1].copy(), (SHAPE[1] - 1 - x, SHAPE[0] - 1 - y))]
    one, other = map(averaged(both), cases)
    assert one.mask is not None
    assert other.mask is not None
    assert dice(other.mask[::-1, ::-1].copy(), one.mask) > 0.99
    assert one.recist is not None
    assert other.recist is not None
    there = one.recist.transformed([[-1, 0, SHAPE[1] - 1], [0, -1, SHAPE[0] - 1]])
    assert other.recist.points == pytest.approx(there.points, abs=0.5)
    plain = [both(case) for case in cases]
    # Without it the two differ: the test above tests something.
    assert plain[0].peaks != pytest.approx(plain[1].peaks[::-1], abs=1e-3)


def test_endpoints_found_swapped_are_put_in_order() -> None:
    points = np.array([(50, 20), (12, 30), (36, 45), (25, 8)], float)
    order = canonical_order(points)
    assert order == [1, 0, 3, 2]
    assert np.array_equal(points[order], Recist(points).points)
    assert canonical_order(points[order]) == [0, 1, 2, 3]


def test_rows_for_a_table(parts: Parts) -> None:
    lesions = lesions_of(103)
    rows = measure(parts, lesions)
    assert [row["row"] for row in rows] == [1, 2, 3, 4]
    assert all(row["truth"] == "human" for row in rows)
    summary = summarise(parts.system, rows)
    assert set(parts.system.reported) <= {*summary}
    assert summary["dice"] > 0.85
    (result,) = parts.predict([case_of(lesions[0], TellClick())])
    assert result.mask is not None
    assert rows[0]["dice"] == dice(result.mask, lesions[0].mask("human"))


def test_folders_say_which_part_they_hold(two_checkpoints: Checkpoints) -> None:
    stage1, stage2 = two_checkpoints
    for given in ((stage1, stage2), (stage2, stage1)):
        found = load_parts(given, CPU)
        assert found.names == ("stage1", "stage2")
        assert found.folders == (stage1, stage2)
        assert found.protocol == ("Stage 1 and stage 2 in order: given are the slice and a click.")
    alone = found.alone(1)
    assert (alone.names, alone.folders) == (("stage2",), (stage2,))
    assert "the lesion's size (not its place)" in alone.protocol
    with pytest.raises(InputError, match="holds pdnet, stage 2, and so does"):
        load_parts([stage2, stage2], CPU)


def test_no_checkpoint(two_checkpoints: Checkpoints, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        load_parts([two_checkpoints[0], tmp_path], CPU)
    (tmp_path / "run.json").write_text(json.dumps({"system": "nonet", "config": {}}))
    with pytest.raises(InputError, match="no system 'nonet'"):
        load_parts([tmp_path, two_checkpoints[1]], CPU)


def test_stage_2_alone_wants_a_size(parts: Parts) -> None:
    with pytest.raises(InputError, match="size"):
        next(parts.alone(1).predict([at(np.zeros(SHAPE, np.int16), (20, 20))]))


def test_another_prompt_is_refused(parts: Parts) -> None:
    case = replace(at(np.zeros(SHAPE, np.int16), (20, 20)), prompt=Box(low=(1, 1), high=(9, 9)))
    with pytest.raises(InputError, match="pdnet is told a click, not a box"):
        next(parts.predict([case]))
