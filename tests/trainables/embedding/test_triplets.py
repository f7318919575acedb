"""Cues and triplets by hand: places in a body, who is like whom, who is unlike, who is neither."""

from dataclasses import replace

import numpy as np
import pytest

from lesions import InputError
from tests.trainables.embedding.narrow import lesion
from trainables.embedding.cues import Cues, body_box, cues_of, place_in_body, row_of
from trainables.embedding.triplets import LikenessConfig, Triplets

LIKENESS = LikenessConfig(place=0.1, size=1.5, far=2.0)
AT, LONG = (0.5, 0.5), 20.0
Row = tuple[str, str, tuple[float, float], tuple[float, float]]


def row(
    patient: str, kind: str = "liver", place: tuple[float, float] = AT, long: float = LONG
) -> Row:
    return patient, kind, place, (long, long / 2)


def triplets(*others: Row) -> Triplets:
    """Of a lesion of patient a, in the liver, in the middle, 20 mm long; and others."""
    helps = (row("y", place=(9, 9)), row("z"))  # so that there is a triplet
    return Triplets(cues_of([row("a"), *others, *helps]), LIKENESS)


def test_places_are_in_the_bodys_box() -> None:
    """The body is columns 10…109 and rows 5…94; the lesion's middle is pixel (60, 50)."""
    slice_hu = lesion().slice_hu
    assert body_box(slice_hu) == (10, 5, 100, 90)
    assert place_in_body(slice_hu, (50, 40, 70, 60)) == pytest.approx((50.5 / 100, 45.5 / 90))


def test_a_slice_of_air_is_its_own_box() -> None:
    assert body_box(np.full((40, 30), -1000, np.int16)) == (0, 0, 30, 40)


def test_the_table_is_no_part_of_the_body() -> None:
    slice_hu = lesion().slice_hu
    slice_hu[98:100] = 200
    assert body_box(slice_hu) == (10, 5, 100, 90)


def test_the_cues_of_a_lesion() -> None:
    one = lesion(patient="p", lesion_type="lung")
    found = cues_of([row_of(one, one.slice_hu)])
    assert (found.patients.tolist(), found.types.tolist()) == (["p"], ["lung"])
    np.testing.assert_allclose(np.exp(found.sizes), [[12.8, 8.0]])
    assert len(cues_of([])) == 0


@pytest.mark.parametrize(
    ("other", "alike", "unlike"),
    [
        (row("b"), True, False),
        (row("a"), False, False),  # the same patient is never like
        (row("b", kind="lung"), False, True),
        (row("b", kind="unknown"), True, False),  # unknown is no type
        (row("b", place=(0.55, 0.58)), True, False),
        (row("b", place=(0.5, 0.62)), False, False),  # between
        (row("b", place=(0.5, 0.71)), False, True),
        (row("b", long=29.9), True, False),
        (row("b", long=14), True, False),
        (row("b", long=40), False, False),  # between 1.5 and 1.5²
        (row("b", long=46), False, True),
        (row("a", long=46), False, True),
    ],
)
def test_who_is_like_and_who_is_unlike(other: Row, alike: bool, unlike: bool) -> None:
    found = triplets(other)
    assert (found.alike(0)[1], found.unlike(0)[1]) == (alike, unlike)


def test_the_shorter_diameter_counts_too() -> None:
    found = triplets(("b", "liver", AT, (LONG, LONG / 6)))
    assert (found.alike(0)[1], found.unlike(0)[1]) == (False, True)


def random_cues() -> Cues:
    rng = np.random.default_rng(0)
    kinds = ["liver", "lung", "unknown"]
    return cues_of([
        row(f"{at % 9}", kinds[at % 3], tuple(rng.uniform(size=2)), rng.uniform(5, 40))
        for at in range(60)
    ])  # fmt: skip


def test_drawn_triplets_keep_to_the_rules() -> None:
    found = Triplets(random_cues(), LIKENESS)
    drawn = found.draw(1, 0)
    assert len(drawn) > 10
    assert len(set(drawn[:, 0].tolist())) == len(drawn)
    for anchor, alike, unlike in drawn.tolist():
        assert found.alike(anchor)[alike]
        assert found.unlike(anchor)[unlike]


def test_seed_and_epoch_alone_decide() -> None:
    def drawn(seed: int, epoch: int) -> list[list[int]]:
        made: list[list[int]] = Triplets(random_cues(), LIKENESS).draw(seed, epoch).tolist()
        return made

    assert drawn(1, 4) == drawn(1, 4)
    assert drawn(1, 4) != drawn(1, 5)
    assert drawn(1, 4) != drawn(2, 4)


def test_without_triplets_nothing_can_be_learned() -> None:
    with pytest.raises(InputError, match=r"nothing to learn from.*--model"):
        Triplets(cues_of([row("a"), row("a", long=90)]), LIKENESS)
    with pytest.raises(InputError, match="nothing to learn from"):
        Triplets(cues_of([]), LIKENESS)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(InputError, match="size is 1"):
        replace(LIKENESS, size=1.0)
