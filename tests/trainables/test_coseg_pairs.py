"""Which lesions are paired, and what a pair costs."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions import InputError, Lesion
from tests.trainables.test_coseg_model import small
from trainables.contract.made import made_lesions
from trainables.coseg.loss import pair_loss
from trainables.coseg.pairs import Pairs, Partners
from trainables.roles import Draw


def lesions_of(patients: str, vectors: list[list[float]]) -> list[Lesion]:
    """One a letter, with these embeddings."""
    made = made_lesions(len(patients), ["grabcut_r"])
    return [
        replace(lesion, patient=patient, embedding=np.array(vector, dtype=np.float32))
        for lesion, patient, vector in zip(made, patients, vectors, strict=True)
    ]


def drawn(pairs: Pairs, epoch: int = 0, seed: int = 0) -> list[tuple[int, int]]:
    """All pairs of an epoch."""
    draws = [Draw(seed=seed, epoch=epoch, index=index) for index in range(len(pairs))]
    return [pairs.pair(draw, draw.rng) for draw in draws]


def test_partners_are_of_the_same_group_and_of_another_patient() -> None:
    """By hand: a a b in one group, b c in the other, and one alone."""
    partners = Partners(
        groups=np.array([0, 0, 0, 1, 1, 2]), patients=["a", "a", "b", "b", "c", "d"]
    )
    assert partners.count == 3  # a-b twice, b-c
    assert partners.paired.tolist() == [0, 1, 2, 3, 4]
    rng = np.random.default_rng(0)
    assert {partners.partner(2, rng) for _ in range(20)} == {0, 1}
    assert {partners.partner(4, rng) for _ in range(5)} == {3}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcd")), min_size=1, max_size=12))
def test_counts_are_those_of_trying_all(told: list[tuple[int, str]]) -> None:
    """Unordered pairs of one group and two patients."""
    groups, patients = zip(*told, strict=True)
    partners = Partners(groups=np.array(groups), patients=patients)
    every = [
        (one, other)
        for one in range(len(told))
        for other in range(one)
        if groups[one] == groups[other] and patients[one] != patients[other]
    ]
    assert partners.count == len(every)
    assert set(partners.paired.tolist()) == {at for pair in every for at in pair}


TWO_KINDS = [[1.0, 0.0], [0.99, 0.14], [0.99, -0.14], [0.0, 1.0], [0.14, 0.99], [-0.14, 0.99]]


def test_pairs_look_alike() -> None:
    """Two clusters of three: nobody is paired with the other kind, with itself or its patient."""
    config = small()
    config = replace(config, pairs=replace(config.pairs, clusters=2, draws=60))
    found = drawn(Pairs(config, lesions_of("abccab", TWO_KINDS)))
    assert {one // 3 == other // 3 for one, other in found} == {True}
    assert all("abccab"[one] != "abccab"[other] for one, other in found)
    assert set(Counter(one for one, _ in found).values()) == {10}
    at_random = replace(config, pairs=replace(config.pairs, by="random"))
    mixed = drawn(Pairs(at_random, lesions_of("abccab", TWO_KINDS)))
    assert {one // 3 == other // 3 for one, other in mixed} == {True, False}


def test_an_epochs_pairs_are_a_function_of_seed_and_epoch() -> None:
    """The same again, and others in another epoch or of another seed."""
    config = small()
    config = replace(config, pairs=replace(config.pairs, by="random", draws=9))
    pairs = Pairs(config, lesions_of("abccab", TWO_KINDS))
    assert drawn(pairs) == drawn(pairs)
    assert len({str(drawn(pairs, *which)) for which in ((0, 0), (1, 0), (0, 1))}) == 3
    draw = Draw(seed=0, epoch=0, index=4)
    one, again = pairs[draw], pairs[draw]
    assert one["images"].shape == (2, 1, 64, 64)
    assert one["labels"].shape == (2, 64, 64)
    assert torch.equal(one["images"], again["images"])
    assert not torch.equal(one["images"][0], one["images"][1])


def test_what_cannot_be_paired_is_said() -> None:
    """One patient alone, and lesions of a set without embeddings."""
    config = small()
    with pytest.raises(InputError, match="two patients"):
        Pairs(replace(config, pairs=replace(config.pairs, by="random")),
              lesions_of("aaaaaa", TWO_KINDS))  # fmt: skip
    bare = [replace(lesion, embedding=None) for lesion in lesions_of("abccab", TWO_KINDS)]
    with pytest.raises(InputError, match="no embedding") as told:
        Pairs(config, bare)
    assert "platform.embed" in str(told.value.remedy)


def test_the_loss_is_both_images_and_ignores_what_is_uncertain() -> None:
    """By hand: −ln ½ of an even answer, and of a sure one ln(1 + e⁻²)."""
    logits = torch.zeros(1, 2, 2, 1, 2)
    logits[0, 1, 1] = 2.0
    labels = torch.tensor([[[[0, 255]], [[1, 0]]]])
    labels = labels.reshape(1, 2, 1, 2)
    sure, wrong = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))
    assert pair_loss(logits, labels).item() == pytest.approx(np.log(2) + (sure + wrong) / 2)
    labels[:] = 255
    assert pair_loss(logits, labels).item() == 0


def test_shards_average_to_the_batch() -> None:
    """As training in several workers asks for."""
    logits = torch.rand(4, 2, 2, 3, 3)
    labels = torch.randint(0, 2, (4, 2, 3, 3))
    labels[1, 0] = 255
    halves = [pair_loss(logits[part], labels[part]) for part in (slice(0, 2), slice(2, 4))]
    assert torch.allclose(torch.stack(halves).mean(), pair_loss(logits, labels))
