"""Clusters by hand: points on a circle, patients that force a merge; neighbours, ties, patients."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lesions import InputError
from trainables.embedding.clusters import Clusters, clusters_for, fit_clusters, nearest


def circle(*degrees: float) -> NDArray[np.float32]:
    turns = np.deg2rad(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


THREE = circle(0, 2, 4, 90, 92, 94, 200, 202, 204)


def fitted(patients: str, count: int = 3, seed: int = 0) -> Clusters:
    return fit_clusters(THREE, list(patients), count=count, seed=seed)


@pytest.mark.parametrize(("lesions", "count"), [(32_735, 200), (130, 2), (1, 2), (1000, 6)])
def test_as_many_clusters_as_in_the_paper(lesions: int, count: int) -> None:
    assert clusters_for(lesions) == count


def test_points_that_lie_together_are_a_cluster() -> None:
    found = fitted("abcabcabc")
    assert [len(set(found.labels[at : at + 3])) for at in (0, 3, 6)] == [1, 1, 1]
    assert found.sizes.tolist() == [3, 3, 3]
    assert (found.merged, found.count) == (0, 3)
    means = THREE.reshape(3, 3, 2).mean(axis=1, keepdims=True)
    assert found.inertia == pytest.approx(((THREE.reshape(3, 3, 2) - means) ** 2).sum(), rel=1e-4)


def test_others_go_to_the_nearest_centre() -> None:
    found = fitted("abcabcabc")
    assert found.of(circle(10, 80, 190)).tolist() == found.labels[[0, 3, 6]].tolist()
    assert found.of(THREE).tolist() == found.labels.tolist()


def test_a_cluster_of_one_patient_joins_its_nearest() -> None:
    """That at 90° is nearer to 0° than to 200°."""
    found = fitted("abcdddabc")
    assert found.merged == 1
    assert sorted(found.sizes.tolist()) == [3, 6]
    assert len(set(found.labels[:6])) == 1
    assert found.of(circle(80)).tolist() == found.labels[:1].tolist()
    assert found.of(THREE).tolist() == found.labels.tolist()


def test_of_one_patient_one_cluster_is_left() -> None:
    found = fitted("aaaaaaaaa")
    assert (found.count, found.merged, found.sizes.tolist()) == (1, 2, [9])


def test_the_seed_alone_decides() -> None:
    chance = np.random.default_rng(0).normal(size=(300, 8))
    vectors = (chance / np.linalg.norm(chance, axis=1, keepdims=True)).astype(np.float32)
    patients = [str(at % 50) for at in range(300)]
    first, again, other = (
        fit_clusters(vectors, patients, count=12, seed=seed) for seed in (3, 3, 4)
    )
    assert first.centres.tobytes() == again.centres.tobytes()
    assert first.labels.tolist() == again.labels.tolist()
    assert first.centres.tobytes() != other.centres.tobytes()
    assert first.sizes.sum() == 300


def test_more_clusters_than_lesions_are_not_made() -> None:
    assert fit_clusters(circle(0, 90), ["a", "b"], count=9, seed=0).count == 1
    assert fit_clusters(circle(0, 0, 0, 90, 90), list("ababa"), count=4, seed=0).count == 2


def test_nothing_to_cluster_is_said() -> None:
    with pytest.raises(InputError, match="no training lesions"):
        fit_clusters(THREE[:0], [], count=2, seed=0)
    with pytest.raises(InputError, match="0 clusters"):
        fitted("abcabcabc", count=0)


def test_the_most_similar_come_first() -> None:
    assert nearest(circle(1.5), THREE, 4).tolist() == [[1, 0, 2, 3]]


def test_equals_come_in_order() -> None:
    vectors = circle(0, 50, 0, 50, 0, 0)
    assert nearest(circle(0, 50), vectors, 3).tolist() == [[0, 2, 4], [1, 3, 0]]


def test_equals_stay_in_order_among_many() -> None:
    chance = np.random.default_rng(0).normal(size=256).astype(np.float32)
    vectors = np.tile(chance / np.linalg.norm(chance), (1003, 1))
    assert nearest(vectors[:3], vectors, 5).tolist() == [[0, 1, 2, 3, 4]] * 3


def test_lesions_of_the_same_patient_are_left_out() -> None:
    patients = list("abcabcabc")
    found = nearest(THREE[:2], THREE, 2, patients=patients, not_of=patients[:2])
    assert found.tolist() == [[1, 2], [0, 2]]
    found = nearest(THREE[:1], THREE, 2, patients=["a"] * 8 + ["b"], not_of=["a"])
    assert found.tolist() == [[8, -1]]


def test_fewer_than_k_end_in_minus_one() -> None:
    assert nearest(THREE[:1], THREE[:2], 4).tolist() == [[0, 1, -1, -1]]
    assert nearest(THREE[:1], THREE[:0], 1).tolist() == [[-1]]
    assert nearest(THREE[:0], THREE, 1).shape == (0, 1)
