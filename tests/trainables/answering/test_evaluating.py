"""Evaluation is prediction: what the rows of a lesion hold, and what cannot be seen in them."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lesions import Lesion, Recist
from lesions.metrics import segmentation
from lesions.prompts import case_of
from lesions.readers.png import decode_labels, encode_labels
from tests.boxed import Boxed, Crossed, Marked, save
from tests.discs import SPACING, Checkpoints, lesions_of
from trainables.answering import evaluating
from trainables.answering.evaluating import Evaluator, measure_alone, measure_lesion, rows_of
from trainables.parts import Parts, load_parts
from trainables.registry import SYSTEMS
from trainables.system import System

CPU = torch.device("cpu")


@pytest.fixture
def parts_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(system: System) -> Parts:
        monkeypatch.setitem(SYSTEMS, system.name, system)
        return load_parts([save(system, tmp_path / system.name)], CPU)

    return made


def moved(lesion: Lesion) -> Lesion:
    """The same lesion with other truths: its masks are moved, its prompt and pixels stay."""
    masks = {
        name: encode_labels(np.roll(lesion.mask(name), 9, axis=(0, 1))) for name in lesion.masks
    }
    return replace(lesion, masks=masks)


def test_both_stages_and_the_last_alone(two_checkpoints: Checkpoints) -> None:
    parts = load_parts(two_checkpoints, CPU)
    lesion = lesions_of(100)[1]
    row = measure_lesion(parts, lesion) | measure_alone(parts, lesion)
    mask = decode_labels(row["mask"])
    assert row["found"] is True
    assert row["dice"] == segmentation(mask, lesion.mask("human"))["dice"] > 0.8
    assert row["stage2_dice"] > 0.8
    assert {f"stage2_{name}" for name in parts.system.reported} <= row.keys()
    long, _ = Recist(row["endpoints"]).diameters_mm(SPACING)
    assert row["heat_maps_long_mm"] == pytest.approx(long)
    assert row["human_mask_long_mm"] == pytest.approx(row["long_axis_mm"])
    assert math.isnan(row["marks_long_mm"]), "the marks were measured from the human mask"
    case = case_of(lesion, parts.telling)
    (found,) = parts.predict([case])
    assert np.array_equal(found.mask, mask), "evaluation is prediction"


def test_one_part_has_no_part_alone(two_checkpoints: Checkpoints) -> None:
    parts = load_parts(two_checkpoints, CPU)
    assert measure_alone(parts.alone(-1), lesions_of(100)[0]) == {}


@pytest.mark.parametrize("corner", range(4))
def test_a_moved_truth_changes_no_prediction(
    two_checkpoints: Checkpoints, parts_of: Any, corner: int
) -> None:
    lesion = lesions_of(101)[corner]
    for parts in (load_parts(two_checkpoints, CPU), parts_of(Boxed()), parts_of(Marked())):
        row, other = measure_lesion(parts, lesion), measure_lesion(parts, moved(lesion))
        assert (row["mask"], row["endpoints"]) == (other["mask"], other["endpoints"])
        assert row["dice"] > 0.7 > other["dice"]


def test_a_mask_alone_has_no_diameters_of_endpoints(parts_of: Any) -> None:
    lesion = lesions_of(100)[2]
    row = measure_lesion(parts_of(Boxed()), lesion)
    assert row["dice"] == 1.0
    assert not {"heat_maps_long_mm", "heat_maps_short_mm"} & row.keys()
    assert row["predicted_mask_long_mm"] == pytest.approx(row["long_axis_mm"])
    assert row["long_axis_error"] == pytest.approx(0)


def test_no_mask_has_no_metrics_and_no_diameters_of_masks(parts_of: Any) -> None:
    row = measure_lesion(parts_of(Crossed()), lesions_of(100)[2])
    assert row["mask"] is None
    assert not {"dice", "predicted_mask_long_mm", "predicted_mask_short_mm"} & row.keys()
    assert row["heat_maps_long_mm"] == pytest.approx(12 * SPACING[0])
    assert row["long_axis_error"] == pytest.approx(abs(row["long_axis_mm"] - 12 * SPACING[0]))
    assert (row["found"], row["doubt"]) == (True, "it is always the same cross")


class Few(list[Lesion]):
    """Lesions with their facts, as a prepared set has them."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One a lesion."""
        names = ("file", "row", "patient", "lesion_type")
        return [{name: getattr(one, name) for name in names} for one in self]


@pytest.mark.parametrize("system", [Boxed(), Crossed()], ids=lambda system: system.name)
def test_rows_come_back_from_an_actor(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their masks, where there are some, and a reason for what cannot be measured."""
    monkeypatch.setitem(SYSTEMS, system.name, system)
    monkeypatch.setattr(evaluating, "use_assigned_resources", lambda: CPU)
    first, second = lesions_of(100)[:2]
    few = Few([first, replace(second, encoded=b"no PNG")])
    monkeypatch.setattr(evaluating, "PreparedSet", lambda root, split: few)
    actor = Evaluator(system.name, (save(system, tmp_path / "model"),), tta=False)
    item = {"set": 1, "root": str(tmp_path), "split": "test", "first": 0, "last": 2}
    answer = actor(item)
    assert str(tmp_path) not in json.dumps(answer)
    whole, broken = rows_of(answer)
    assert (whole["set"], whole["index"], whole["file"]) == (1, 0, first.file)
    if system.endpoints:
        assert whole["mask"] is None
    else:
        assert np.array_equal(decode_labels(whole["mask"]), first.mask("human"))
    assert broken["index"] == 1
    assert "no PNG" in broken["reason"]
