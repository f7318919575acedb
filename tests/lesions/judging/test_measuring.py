"""What a worker measures: the metrics' own numbers, and a mask that fails ends nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lesions.judging.measuring import METRICS, Measured, measure, with_masks
from lesions.labels import GREY
from lesions.lesion import Lesion
from lesions.masks import PSEUDO_MASKS, pseudo_mask
from lesions.metrics import segmentation
from lesions.readers.deeplesion import Rejected, read_deeplesion
from lesions.readers.png import encode_labels
from lesions.recist import Recist
from lesions.sample import ROOT as SAMPLE

METHODS = ("ellipse", "snakes")


@dataclass(frozen=True)
class Given:
    """A batch of lesions that are here already."""

    lesions: tuple[Lesion | Rejected, ...]

    def read(self) -> Iterator[Lesion | Rejected]:
        yield from self.lesions

    def aside(self, reason: str) -> list[Rejected]:
        return [Rejected(file=one.file, row=one.row, reason=reason) for one in self.lesions]


@pytest.fixture(scope="module")
def lesions() -> list[Lesion]:
    return read_deeplesion(SAMPLE)[0][::60]


def measured(batch: Given, methods: tuple[str, ...] = METHODS) -> list[Measured]:
    found = measure(batch, methods)
    assert all(isinstance(one, Measured) for one in found)
    return [one for one in found if isinstance(one, Measured)]


def test_the_scores_are_the_metrics(lesions: list[Lesion]) -> None:
    for lesion, found in zip(lesions, measured(Given((*lesions,))), strict=True):
        assert (found.file, found.row) == (lesion.file, lesion.row) == found.key
        assert (found.patient, found.lesion_type) == (lesion.patient, lesion.lesion_type)
        assert list(found.scores) == [*METHODS]
        assert found.failed == {}
        for method, scores in found.scores.items():
            mask = pseudo_mask(method, lesion.slice_hu, lesion.recist, lesion.window)
            truth = segmentation(mask, lesion.mask("human"))
            assert {name: scores[name] for name in METRICS} == {
                name: truth[name] for name in METRICS
            }
            assert scores["ms"] >= 0


def test_what_is_set_aside_goes_through(lesions: list[Lesion]) -> None:
    bad = Rejected(file="x", row=2, reason="no human mask")
    found = measure(Given((lesions[0], bad, lesions[1])), METHODS)
    assert found[1] is bad
    assert isinstance(found[0], Measured)
    assert isinstance(found[2], Measured)


def test_a_mask_that_fails_is_told_and_ends_nothing(lesions: list[Lesion]) -> None:
    """No such method: every lesion fails by it, and is measured by the other."""
    for found in measured(Given((*lesions,)), ("nobody", "ellipse")):
        assert list(found.scores) == ["ellipse"]
        assert found.failed["nobody"].startswith("ValueError: no pseudo mask 'nobody'")


def test_one_lesion_may_fail_alone(lesions: list[Lesion], monkeypatch: pytest.MonkeyPatch) -> None:
    """A method of someone's own, as the registry takes it: it knows no small lesions."""
    ellipses = (pseudo_mask("ellipse", one.slice_hu, one.recist, one.window) for one in lesions)
    smallest = min(map(np.sum, ellipses))

    def own(slice_hu: NDArray[Any], recist: Recist, window: tuple[float, float]) -> Any:
        mask = PSEUDO_MASKS["ellipse"](slice_hu, recist, window)
        if np.sum(mask) == smallest:
            raise ArithmeticError("too small")
        return mask

    monkeypatch.setitem(PSEUDO_MASKS, "own", own)
    found = measured(Given((*lesions,)), ("own", "ellipse"))
    failed = [one for one in found if one.failed]
    assert len(failed) == 1
    assert failed[0].failed == {"own": "ArithmeticError: too small"}
    assert all("ellipse" in one.scores for one in found)
    drawn = with_masks(Given((*lesions,)), [failed[0].key], ("own", "ellipse"))
    assert set(drawn[0].masks) == {"human", "ellipse"}


def test_a_mask_that_is_no_label_image_fails(
    lesions: list[Lesion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PSEUDO_MASKS, "grey", lambda hu, *_: np.arange(hu.size).reshape(hu.shape))
    monkeypatch.setitem(PSEUDO_MASKS, "small", lambda *_: np.ones((2, 2), np.uint8))
    (found,) = measured(Given((lesions[0],)), ("grey", "small"))
    assert found.scores == {}
    assert GREY in found.failed["grey"]
    assert "different shapes" in found.failed["small"]


def test_uncertain_pixels_are_counted_and_count_nowhere(
    lesions: list[Lesion], monkeypatch: pytest.MonkeyPatch
) -> None:
    human = lesions[0].mask("human")
    rows, columns = np.nonzero(human)
    half = human.copy()
    half[rows[::2], columns[::2]] = 255
    monkeypatch.setitem(PSEUDO_MASKS, "half", lambda *_: half)
    monkeypatch.setitem(PSEUDO_MASKS, "nothing", lambda hu, *_: np.zeros(hu.shape, np.uint8))
    (found,) = measured(Given((lesions[0],)), ("half", "nothing"))
    assert found.scores["half"]["dice"] == 1
    assert found.scores["half"]["uncertain"] == len(rows[::2]) / len(rows)
    assert found.scores["nothing"]["dice"] == 0
    assert found.scores["nothing"]["uncertain"] == 0


def test_the_digest_is_of_the_lesion_alone(lesions: list[Lesion]) -> None:
    first, second = lesions[:2]
    (whole,) = measured(Given((first,)))
    (less,) = measured(Given((first,)), ("ellipse",))
    assert whole.digest == less.digest
    for other in (
        second,
        replace(first, window=(0.0, 1.0)),
        replace(first, spacing=(1.0, 1.0, 1.0)),
        replace(first, recist=Recist(first.recist.points + 0.1)),
        replace(first, masks={"human": encode_labels(1 - first.mask("human"))}),
    ):
        assert measured(Given((other,)))[0].digest != whole.digest


def test_lesions_with_their_masks_hold_all_pixels(lesions: list[Lesion]) -> None:
    """They travel to a driver that may not see the files."""
    batch, wanted = Given((*lesions,)), [(one.file, one.row) for one in lesions[1:3]]
    found = with_masks(batch, wanted, METHODS)
    assert [(one.file, one.row) for one in found] == wanted
    for lesion, other in zip(found, lesions[1:3], strict=True):
        assert isinstance(lesion.encoded, bytes)
        np.testing.assert_array_equal(lesion.slice_hu, other.slice_hu)
        for method in METHODS:
            mask = pseudo_mask(method, other.slice_hu, other.recist, other.window)
            np.testing.assert_array_equal(lesion.mask(method), mask)
