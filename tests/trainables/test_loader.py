"""Who sees which lesion when, and that nothing but seed, epoch and lesion decides how."""

import os
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lesions.prepared import PreparedSet
from tests.trainables.runs import CPU, ellipses, small
from trainables.loader import Share, TrainingLoader, TrainingSamples, batches, loader_processes
from trainables.pdnet import PDNetSystem
from trainables.training import TrainingConfig

counts = st.integers(1, 70)
sizes = st.integers(1, 9)
worlds = st.integers(1, 9)


def seen(groups: list[list[tuple[int, int]]]) -> list[int]:
    return [index for group in groups for _, index in group]


@given(counts, sizes, st.integers(0, 3))
def test_every_lesion_once_an_epoch(lesions: int, size: int, epoch: int) -> None:
    groups = batches(lesions, size, seed=1, epoch=epoch)
    assert sorted(seen(groups)) == list(range(lesions))
    assert {e for group in groups for e, _ in group} == {epoch}


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
    samples = TrainingSamples(PDNetSystem(), small(), few)
    first, again, next_epoch = samples[0, 3], samples[0, 3], samples[1, 3]
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
    one, other = (TrainingSamples(PDNetSystem(), small(seed=seed), few)[0, 3] for seed in (0, 1))
    assert not torch.equal(one["inputs"], other["inputs"])


def test_a_lesion_is_augmented_alike_on_every_worker(few: PreparedSet) -> None:
    """In a world of three the lesions fall to other workers, with the same keys."""
    alone = {key for group in batches(len(few), 4, 0, 2) for key in group}
    shared = {
        key for rank in range(3) for group in batches(len(few), 4, 0, 2, rank, 3) for key in group
    }
    assert alone == shared
