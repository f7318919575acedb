"""Clusters of lesions that look alike, and the lesions that look most like one.

After the co-segmentation paper, section 2: k-means on the embeddings, 200 clusters of DeepLesion's
32,735 lesions. A pair is of two patients *(ours)*, so each cluster is made to hold two at least.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions import InputError

_CLUSTERS, _LESIONS = 200, 32_735  # the paper's
_AT_ONCE = 4096  # rows of a product that is held
_DIGITS = 6  # of a cosine; beyond them a product's rounding would order equal vectors


def clusters_for(count: int) -> int:
    """How many clusters a set of `count` lesions has, in the paper's proportion; 2 at least."""
    return max(2, round(_CLUSTERS * count / _LESIONS))


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Lesions in clusters.

    Attributes:
        centres: (C, D), of k-means.
        cluster_of: (C,), the cluster 0…K−1 of each centre; merged clusters share theirs.
        labels: (N,), the cluster of each lesion that they were fitted on.
        sizes: (K,), how many of these each cluster has.
        inertia: of k-means: the sum of squared distances to the nearest centre.
        merged: how many clusters were merged into another, as they had one patient alone.
    """

    centres: NDArray[np.float64]
    cluster_of: NDArray[np.int64]
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    inertia: float
    merged: int

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    def of(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """The cluster (N,) of the centre nearest to each vector (N, D); the first of equals."""
        return self.cluster_of[_nearest_centre(vectors, self.centres)[0]]


def fit_clusters(
    vectors: NDArray[np.float32],
    patients: Sequence[str],
    *,
    count: int,
    seed: int,
    starts: int = 10,
) -> Clusters:
    """Fit k-means, and merge each cluster of a single patient with its nearest.

    Give it training lesions alone: others go to the nearest centre, see `Clusters.of`. Where all
    are of one patient, one cluster is left.

    Args:
        vectors: (N, D), of unit length.
        patients: of each lesion.
        count: of clusters before any is merged; at most as many as lesions are made.
        seed: of the starts.
        starts: the best of this many is taken.

    Raises:
        InputError: there are no lesions, or less than one cluster or start is wanted.
    """
    if not len(vectors):
        raise InputError("there are no training lesions to cluster")
    for name, number in (("clusters", count), ("starts", starts)):
        if number < 1:
            raise InputError(f"{number} {name} are wanted; it must be at least 1")
    centres = _k_means(vectors, min(count, len(vectors)), seed, starts)
    nearest, inertia = _nearest_centre(vectors, centres)
    cluster_of = _merged(centres, nearest, np.unique(patients, return_inverse=True)[1])
    labels = cluster_of[nearest]
    sizes = np.bincount(labels, minlength=int(cluster_of.max()) + 1)
    return Clusters(
        centres=centres, cluster_of=cluster_of, labels=labels, sizes=sizes, inertia=inertia,
        merged=len(centres) - len(sizes),
    )  # fmt: skip


def _k_means(
    vectors: NDArray[np.float32], count: int, seed: int, starts: int
) -> NDArray[np.float64]:
    """The centres that have lesions; equal vectors can leave others without any."""
    from sklearn.cluster import KMeans  # takes longer to import than most fits
    from threadpoolctl import threadpool_limits

    # Each thread sums on its own: the last bits would depend on how many there are.
    with threadpool_limits(1):
        distinct = len(np.unique(vectors, axis=0)) if count > 1 else 1
        fitted = KMeans(min(count, distinct), n_init=starts, random_state=seed).fit(vectors)
    centres = np.asarray(fitted.cluster_centers_, np.float64)
    return centres[np.unique(_nearest_centre(vectors, centres)[0])]


def _nearest_centre(
    vectors: NDArray[np.float32], centres: NDArray[np.float64]
) -> tuple[NDArray[np.int64], float]:
    """The nearest centre (N,) of each vector, and the sum of the squared distances to them."""
    halves = (centres**2).sum(axis=1) / 2
    nearest, total = [], 0.0
    for at in range(0, len(vectors), _AT_ONCE):
        some = vectors[at : at + _AT_ONCE].astype(np.float64)
        scores = some @ centres.T - halves  # greatest where the distance is least
        nearest.append(scores.argmax(axis=1))
        total += float((some**2).sum() - 2 * scores.max(axis=1).sum())
    return np.concatenate(nearest or [np.empty(0, np.int64)]), max(total, 0.0)


def _merged(
    centres: NDArray[np.float64], nearest: NDArray[np.int64], patients: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The cluster of each centre once each has lesions of two patients, or one is left.

    The smallest that lacks a second patient joins the cluster whose mean is nearest to its own.
    """
    sums = {at: centres[at] * np.count_nonzero(nearest == at) for at in range(len(centres))}
    members = {at: {at} for at in sums}
    sizes = dict(enumerate(np.bincount(nearest, minlength=len(centres)).tolist()))
    held = {at: set(patients[nearest == at].tolist()) for at in sums}
    while len(sums) > 1 and (alone := [at for at in sums if len(held[at]) < 2]):
        one = min(alone, key=lambda at: (sizes[at], at))
        mean = sums.pop(one) / sizes[one]
        other = min(sums, key=lambda at: (float(((sums[at] / sizes[at] - mean) ** 2).sum()), at))
        sums[other] += mean * sizes[one]
        sizes[other] += sizes[one]
        members[other] |= members[one]
        held[other] |= held[one]
    cluster_of = np.empty(len(centres), np.int64)
    for cluster, at in enumerate(sums):
        cluster_of[list(members[at])] = cluster
    return cluster_of


def nearest(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    k: int,
    *,
    patients: Sequence[str] | NDArray[np.str_] | None = None,
    not_of: Sequence[str] | None = None,
) -> NDArray[np.int64]:
    """The lesions like these ones: the k most similar by cosine, the most similar first.

    Args:
        queries: (Q, D), of unit length.
        vectors: (N, D), of unit length.
        k: how many.
        patients: of `vectors`; an array is not made into one again.
        not_of: the patient of each query: none of that patient's lesions is taken.

    Returns:
        (Q, k) places in `vectors`, those of equals in order; -1 where there are no more.
    """
    found = np.full((len(queries), k), -1, np.int64)
    theirs = None if patients is None else np.asarray(patients)
    for at in range(0, len(queries), _AT_ONCE >> 4):
        rows = slice(at, at + (_AT_ONCE >> 4))
        cosines = np.round(queries[rows] @ vectors.T, _DIGITS)
        for row, scores in enumerate(cosines, at):
            if theirs is not None and not_of is not None:
                scores[theirs == not_of[row]] = -np.inf
            best = _largest(scores, k)
            found[row, : len(best)] = best
    return found


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The places of the k largest finite scores, the largest first, those of equals in order."""
    least = np.partition(scores, -k)[-k] if 0 < k < len(scores) else -np.inf
    those = np.flatnonzero((scores >= least) & np.isfinite(scores))
    return those[np.argsort(-scores[those], kind="stable")][:k]
