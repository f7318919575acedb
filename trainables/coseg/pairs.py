"""Pairs of lesions that look alike, of two patients, in one split (section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import InputError, Lesion
from trainables.coseg.config import CoSegConfig
from trainables.coseg.samples import training_sample
from trainables.embedding.clusters import clusters_for, fit_clusters
from trainables.roles import Draw
from trainables.system import Sample

Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Partners:
    """Who may be paired with whom: any two of a group that are of two patients.

    Attributes:
        groups: each lesion's (N,): its cluster, or one for all.
        patients: each lesion's.
    """

    groups: Labels
    patients: Sequence[str]

    @property
    def count(self) -> int:
        """How many unordered pairs there are."""
        every = sum(len(one) * (len(one) - 1) for one in self._members.values())
        same = sum(
            int(number * (number - 1))
            for one in self._members.values()
            for number in np.unique(self._people[one], return_counts=True)[1]
        )
        return (every - same) // 2

    @cached_property
    def paired(self) -> Labels:
        """The lesions that have a partner at all."""
        alone = [one for one in self._members.values() if len(np.unique(self._people[one])) < 2]
        left = np.concatenate([np.zeros(0, dtype=np.int64), *alone])
        return np.setdiff1d(np.arange(len(self.groups)), left)

    def partner(self, lesion: int, rng: np.random.Generator) -> int:
        """One of a lesion's partners, each as likely as the next."""
        members = self._members[int(self.groups[lesion])]
        others = members[self._people[members] != self._people[lesion]]
        return int(rng.choice(others))

    @cached_property
    def _members(self) -> dict[int, Labels]:
        order = np.argsort(self.groups, kind="stable")
        names, starts = np.unique(self.groups[order], return_index=True)
        return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))

    @cached_property
    def _people(self) -> Labels:
        return np.unique(np.asarray(self.patients), return_inverse=True)[1].astype(np.int64)


class Pairs:
    """The training set: `draws` pairs an epoch, a function of seed and epoch alone.

    Every lesion that has a partner is the first of a pair as often as the next, give or take one;
    which are so once more changes from epoch to epoch.

    Raises:
        InputError: no two lesions of two patients, or lesions whose set has no embeddings.
    """

    def __init__(self, config: CoSegConfig, lesions: Sequence[Lesion]) -> None:
        self.config, self.lesions = config, lesions
        self.partners = partners_of(config, lesions)
        if not len(self.partners.paired):
            raise InputError(
                "there is no pair of lesions of two patients",
                remedy="co-segmentation learns from pairs: take a set with two training patients "
                "or more",
            )

    def __len__(self) -> int:
        """How many pairs an epoch."""
        return self.config.pairs.draws

    def __getitem__(self, draw: Draw) -> Sample:
        """Two lesions, each with its own augmentation.

        Returns:
            `images` float32 (2, 1, S, S) and `labels` uint8 (2, S, S).
        """
        rng = draw.rng
        chosen = self.pair(draw, rng)
        return paired([training_sample(self.config, self.lesions[at], rng) for at in chosen])

    def pair(self, draw: Draw, rng: np.random.Generator) -> tuple[int, int]:
        """Which two lesions are drawn; the second by `rng`."""
        able = self.partners.paired
        first = int(able[(draw.index + draw.epoch * len(self)) % len(able)])
        return first, self.partners.partner(first, rng)


def partners_of(config: CoSegConfig, lesions: Sequence[Lesion]) -> Partners:
    """Who may be paired in a set of training lesions; InputError as of `Pairs`."""
    patients = [lesion.patient for lesion in lesions]
    if config.pairs.by == "random" or not len(lesions):
        return Partners(groups=np.zeros(len(lesions), dtype=np.int64), patients=patients)
    clusters = fit_clusters(
        vectors_of(lesions), patients, count=config.pairs.clusters or clusters_for(len(lesions)),
        seed=config.training.seed,
    )  # fmt: skip
    return Partners(groups=clusters.labels.astype(np.int64), patients=patients)


def vectors_of(lesions: Sequence[Lesion]) -> NDArray[np.float32]:
    """The lesions' embeddings (N, D); InputError where one has none."""
    vectors: list[NDArray[np.float32]] = []
    for lesion in lesions:
        if lesion.embedding is None:
            raise InputError(
                "has no embedding to find look-alikes by", file=lesion.file, row=lesion.row,
                remedy="make them with python -m platform.embed --data SET",
            )  # fmt: skip
        vectors.append(lesion.embedding)
    return np.stack(vectors)


def paired(samples: Sequence[Sample]) -> Sample:
    """Two lesions' samples as one."""
    return {name: torch.stack([one[name] for one in samples]) for name in ("images", "labels")}
