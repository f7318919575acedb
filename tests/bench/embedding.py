"""Embeddings at the size of the co-segmentation paper: 32,735 vectors of 256, 200 clusters."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from tests.bench.timing import seconds, show
from trainables.embedding.clusters import clusters_for, fit_clusters, nearest

LESIONS, PATIENTS, DIMENSION = 32_735, 4427, 256


def vectors() -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Heaps of unit vectors, and the patient of each."""
    rng = np.random.default_rng(0)
    heaps = rng.normal(size=(300, DIMENSION))[rng.integers(300, size=LESIONS)]
    found = heaps + rng.normal(size=(LESIONS, DIMENSION))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32), rng.integers(PATIENTS, size=LESIONS).astype(np.str_)


def once(function: Callable[[], object]) -> float:
    return seconds(function, least=0, runs=1)


def clusters() -> None:
    """Ten starts on one thread and the merging, against scikit-learn alone on all threads."""
    found, patients = vectors()
    count = clusters_for(LESIONS)
    names = patients.tolist()
    show(f"{LESIONS} vectors of {DIMENSION}, {count} clusters",
         once(lambda: fit_clusters(found, names, count=count, seed=0)),
         "scikit-learn's k-means, all threads",
         once(lambda: KMeans(count, n_init=10, random_state=0).fit(found)))  # fmt: skip


def neighbours() -> None:
    """The 8 nearest of one lesion, of other patients, against scikit-learn's of any."""
    found, patients = vectors()
    brute = NearestNeighbors(n_neighbors=8, metric="cosine", algorithm="brute").fit(found)
    ours = seconds(
        lambda: nearest(found[:1], found, 8, patients=patients, not_of=[str(patients[0])])
    )
    show(f"neighbours of one of {LESIONS} lesions", ours, "scikit-learn's, of any patient",
         seconds(lambda: brute.kneighbors(found[:1])))  # fmt: skip
