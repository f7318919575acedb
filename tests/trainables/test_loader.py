"""Who sees which lesion when, and that nothing but seed, epoch and lesion decides how."""

import os
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lesions import Lesion
from lesions.prepared import PreparedSet
from tests.trainables.runs import CPU, ellipses, lesion, small
from trainables.loader import (
    VALID,
    LesionSamples,
    Share,
    TrainingLoader,
    batches,
    loader_processes,
    padded,
)
from trainables.losses import iou_loss, masked_mse
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig
from trainables.roles import Draw
from trainables.system import Batch, Sample
from trainables.training import TrainingConfig

counts = st.integers(1, 70)
sizes = st.integers(1, 9)
worlds = st.integers(1, 9)


def seen(groups: list[list[Draw]]) -> list[int]:
    return [draw.index for group in groups for draw in group]


@given(counts, sizes, st.integers(0, 3))
def test_every_lesion_once_an_epoch(lesions: int, size: int, epoch: int) -> None:
    groups = batches(lesions, size, seed=1, epoch=epoch)
    assert sorted(seen(groups)) == list(range(lesions))
    assert {(draw.seed, draw.epoch) for group in groups for draw in group} == {(1, epoch)}
    for number, group in enumerate(groups):
        assert {draw.batch for draw in group} == {number}


@given(counts, sizes, worlds)
def test_workers_share_equally_and_miss_none(lesions: int, size: int, world: int) -> None:
    shares = [batches(lesions, size, 0, 0, rank, world) for rank in range(world)]
    # Step for step the same sizes: only then is the workers' mean the mean over all samples.
    assert len({tuple(map(len, share)) for share in shares}) == 1
    everywhere = Counter(index for share in shares for index in seen(share))
    assert sorted(everywhere) == list(range(lesions))
    assert sum(everywhere.values()) < lesions + world


@given(counts, sizes, worlds)
def test_batch_sizes(lesions: int, size: int, world: int) -> None:
    lengths = [len(group) for group in batches(lesions, size, 0, 0, 0, world)]
    assert all(length == size for length in lengths[:-1])
    assert 1 <= lengths[-1] <= size + 1
    if size > 1 and len(lengths) > 1:
        assert lengths[-1] > 1
    if size == 1:
        assert lengths == [1] * len(lengths)


def test_a_last_batch_of_one_joins_the_one_before() -> None:
    assert [len(group) for group in batches(9, 4, 0, 0)] == [4, 5]
    assert [len(group) for group in batches(10, 4, 0, 0)] == [4, 4, 2]
    assert [len(group) for group in batches(1, 4, 0, 0)] == [1]


def test_the_order_is_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return seen(batches(40, 4, seed, epoch))

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


@given(counts, worlds)
def test_shares_of_the_validation(lesions: int, world: int) -> None:
    whole = ellipses(1) * lesions
    shares = [Share(whole, rank, world) for rank in range(world)]
    assert sum(map(len, shares)) == lesions
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_is_a_sequence() -> None:
    whole = ellipses(7)
    share = Share(whole, 1, 3)
    assert [found.file for found in share] == [whole[1].file, whole[4].file]
    assert share[0:16] == [whole[1], whole[4]]
    assert share[-1] is whole[4]
    with pytest.raises(IndexError):
        share[2]


def loaded(lesions: PreparedSet, workers: int, *epochs: int) -> list[dict[str, torch.Tensor]]:
    loader = TrainingLoader(PDNetSystem(), small(loader_workers=workers), lesions, CPU)
    return [batch for epoch in epochs for batch in loader.epoch(epoch)]


@pytest.fixture(scope="module")
def few(training_lesions: PreparedSet) -> PreparedSet:
    few = PreparedSet(training_lesions.root, "train")
    few.rows = few.rows[::20]
    return few


def test_the_same_samples_whoever_prepares_them(few: PreparedSet) -> None:
    here, workers = loaded(few, 0, 0, 1), loaded(few, 2, 0, 1)
    assert len(here) == len(workers) == 2 * len(batches(len(few), 4, 0, 0))
    for ours, theirs in zip(here, workers, strict=True):
        assert ours.keys() == theirs.keys() == {"inputs", "labels", "heatmaps"}
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_every_epoch_augments_anew(few: PreparedSet) -> None:
    samples = LesionSamples(PDNetSystem(), small(), few)
    first, again, next_epoch = (samples[Draw(seed=0, epoch=epoch, index=3)] for epoch in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["inputs"], next_epoch["inputs"])


def test_a_loader_goes_on_at_any_epoch(few: PreparedSet) -> None:
    """As a resumed run does."""
    both, second = loaded(few, 0, 0, 1), loaded(few, 0, 1)
    for ours, theirs in zip(both[len(second) :], second, strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_how_many_processes_prepare_samples() -> None:
    gpu, cores = torch.device("cuda"), len(os.sched_getaffinity(0))
    assert loader_processes(TrainingConfig(), CPU) == 0
    assert loader_processes(TrainingConfig(), gpu) == max(1, min(8, cores - 1))
    for count in (0, 3):
        assert loader_processes(TrainingConfig(loader_workers=count), CPU) == count
        assert loader_processes(TrainingConfig(loader_workers=count), gpu) == count


def test_another_seed_augments_otherwise(few: PreparedSet) -> None:
    one, other = (
        LesionSamples(PDNetSystem(), small(), few)[Draw(seed=seed, epoch=0, index=3)]
        for seed in (0, 1)
    )
    assert not torch.equal(one["inputs"], other["inputs"])


def test_a_lesion_is_augmented_alike_on_every_worker(few: PreparedSet) -> None:
    """In a world of three the lesions fall to other workers, with the same keys."""
    alone = {d.index for group in batches(len(few), 4, 0, 2) for d in group}
    shared = {
        d.index for rank in range(3) for group in batches(len(few), 4, 0, 2, rank, 3) for d in group
    }
    assert alone == shared


def test_no_two_workers_batches_are_of_one_number() -> None:
    numbers = [[group[0].batch for group in batches(20, 4, 0, 0, rank, 3)] for rank in range(3)]
    assert numbers == [[0, 3], [1, 4], [2, 5]]
    draws = [Draw(seed=0, epoch=1, index=index, batch=2) for index in (3, 4)]
    assert draws[0].batch_rng.random() == draws[1].batch_rng.random() != draws[0].rng.random()
    assert draws[0].rng.random() != draws[1].rng.random()


def test_padding_counts_nowhere() -> None:
    """Samples of unequal sizes cost as each does alone, by labels and by `valid`."""
    random = torch.Generator().manual_seed(0)
    samples = [
        {
            "prediction": torch.rand(1, *size, generator=random),
            "labels": torch.randint(0, 2, (1, *size), generator=random, dtype=torch.uint8),
        }
        for size in ((6, 9), (8, 5), (8, 9))
    ]
    batch = padded(samples, {"labels": 255})
    assert batch["prediction"].shape == batch[VALID].shape == (3, 1, 8, 9)
    assert torch.equal(batch[VALID], batch["labels"] != 255)
    assert batch[VALID].sum(dim=(1, 2, 3)).tolist() == [54, 40, 72]
    for loss in (masked_mse, iou_loss):
        together = loss(batch["prediction"], batch["labels"] == 1, batch[VALID])
        alone = [
            loss(prediction[None], labels[None] == 1, torch.ones_like(labels[None]))
            for prediction, labels in ((one["prediction"], one["labels"]) for one in samples)
        ]
        torch.testing.assert_close(together, torch.stack(alone).mean())


class Pairs(PDNetSystem):
    """PDNet on two lesions a sample, at one size a batch, padded."""

    def samples(self, config: PDNetConfig, lesions: Sequence[Lesion]) -> "PairSamples":
        return PairSamples(lesions)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        return padded(samples, {})


class PairSamples:
    def __init__(self, lesions: Sequence[Lesion]) -> None:
        self.lesions = lesions

    def __len__(self) -> int:
        return len(self.lesions) - 1

    def __getitem__(self, draw: Draw) -> Sample:
        rows = torch.tensor([self.lesions[draw.index + n].row for n in (0, 1)])
        size = int(draw.batch_rng.integers(2, 9))
        return {"rows": rows[:, None, None].expand(2, size, 3 + draw.index % 2)}


def test_a_data_set_of_a_systems_own() -> None:
    lesions = [lesion([[20, 50], [80, 50], [50, 40], [50, 60]], row=row) for row in range(10)]
    loader = TrainingLoader(Pairs(), small(batch_size=3), lesions, CPU)
    found = list(loader.epoch(0))
    pairs = [tuple(pair) for batch in found for pair in batch["rows"][:, :, 0, 0].tolist()]
    assert sorted(pairs) == [(row, row + 1) for row in range(9)]
    assert all(batch["rows"].shape[2] == batch[VALID].sum(dim=2).max() for batch in found)
    assert len({batch["rows"].shape[2] for batch in found}) > 1
