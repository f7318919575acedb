"""Lesions that stay decoded: the same pixels, read-only, within a bound."""

from dataclasses import replace

import numpy as np
import pytest

from lesions import Lesion
from lesions.readers.deeplesion import read_deeplesion
from lesions.sample import ROOT as SAMPLE
from trainables.kept import DecodedLesion, Kept


class Counted(list[Lesion]):
    """Lesions that count how often one is read."""

    reads = 0

    def __getitem__(self, at: int) -> Lesion:  # type: ignore[override]
        self.reads += 1
        return super().__getitem__(at)


@pytest.fixture(scope="module")
def lesions() -> list[Lesion]:
    return [replace(one, encoded=one.slice_png) for one in read_deeplesion(SAMPLE)[0][:3]]


def test_a_lesion_is_read_and_decoded_once(lesions: list[Lesion]) -> None:
    source = Counted(lesions)
    kept = Kept(source, 1 << 30)
    first = kept[1]
    assert first is kept[1]
    assert source.reads == 1
    assert isinstance(first, Lesion)
    assert first.slice_hu is first.slice_hu
    np.testing.assert_array_equal(first.slice_hu, lesions[1].slice_hu)
    np.testing.assert_array_equal(first.mask("human"), lesions[1].mask("human"))
    assert first.recist == lesions[1].recist
    with pytest.raises(KeyError, match="it has"):
        first.mask("none")


def test_nobody_changes_what_others_will_see(lesions: list[Lesion]) -> None:
    one = Kept(lesions, 1 << 30)[0]
    with pytest.raises(ValueError, match="read-only"):
        one.slice_hu[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        one.mask("human")[0, 0] = 1


def test_what_stays_is_bounded(lesions: list[Lesion]) -> None:
    whole = Kept(lesions, 1 << 30)
    two = whole[0].most_bytes + whole[2].most_bytes
    assert whole[0].most_bytes >= whole[0].slice_hu.nbytes + whole[0].mask("human").nbytes
    kept = Kept(lesions, two)
    seen = [kept[at] for at in (0, 2, 1, 0, 2, 1)]
    assert [isinstance(one, DecodedLesion) for one in seen] == [True, True, False] * 2
    assert seen[2] is lesions[1]
    assert kept.room == 0
    assert [one.row for one in kept[0:3]] == [one.row for one in lesions]


def test_what_is_decoded_is_not_held_twice(lesions: list[Lesion]) -> None:
    inner = Kept(lesions, 1 << 30)
    assert Kept(inner, 1 << 30)[0] is inner[0]
