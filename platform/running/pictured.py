"""From a set's embeddings to the page of its clusters: who is shown, who is like whom, the map."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dashboards.pages.clusters import (
    MOST_CLUSTERS,
    MOST_LIKE,
    MOST_POINTS,
    MOST_SHOWN,
    ClusterPage,
    Group,
    Point,
    Shown,
)
from dashboards.pages.view import evenly_apart
from dashboards.plots.thumbnails import thumbnail
from lesions.prepared import PreparedSet
from platform.running.datasets import Data
from platform.running.embedding import Made
from platform.tracking.provenance import git_commit
from trainables.embedding.clusters import nearest
from trainables.embedding.flat import on_a_plane


def cluster_page(made: Made, data: Data, seed: int) -> ClusterPage:
    """What the page shows of a set's embeddings; the pictures it needs, and no others, are read."""
    about = _About(made)
    largest = np.argsort(-np.bincount(about.clusters, minlength=made.clusters.count), kind="stable")
    groups = [about.group(int(cluster)) for cluster in largest[:MOST_CLUSTERS]]
    places = {place for group in groups for one in group.shown for place in (one.place, *one.like)}
    lesions = PreparedSet(data.root, embedded=False)
    return ClusterPage(
        data=data.name,
        made_by=made.embeddings.made_by,
        lesions=len(about.clusters),
        clusters=made.clusters.count,
        merged=made.clusters.merged,
        groups=groups,
        pictures={place: thumbnail(lesions[place]) for place in sorted(places)},
        points=about.points(seed),
        tags={
            "data fingerprint": data.fingerprint, "embeddings": made.embeddings.digest,
            "seed": str(seed), "git commit": git_commit(),
        },
    )  # fmt: skip


class _About:
    """What is known of each lesion of the set, as arrays in its order."""

    def __init__(self, made: Made) -> None:
        self.vectors = made.embeddings.vectors
        self.clusters = made.clusters.of(self.vectors)
        self.kinds, self.splits, self.patients = (
            made.index[name].to_pylist() for name in ("lesion_type", "split", "patient")
        )

    def group(self, cluster: int) -> Group:
        """A cluster with the lesions of it that are shown."""
        members = np.flatnonzero(self.clusters == cluster)
        shown = list(self._typical(members))
        like = nearest(
            self.vectors[shown], self.vectors, MOST_LIKE,
            patients=self.patients, not_of=[self.patients[place] for place in shown],
        )  # fmt: skip
        return Group(
            number=cluster,
            kinds=[self.kinds[place] for place in members],
            splits=[self.splits[place] for place in members],
            shown=[
                Shown(place=place, kind=self.kinds[place], split=self.splits[place],
                      like=[one for one in near.tolist() if one >= 0])
                for place, near in zip(shown, like, strict=True)
            ],
        )  # fmt: skip

    def _typical(self, members: NDArray[np.int64]) -> Iterable[int]:
        """Those nearest to the middle of all, of different patients as far as there are any."""
        if not len(members):
            return []
        middle = self.vectors[members].mean(axis=0)
        order = members[np.argsort(-(self.vectors[members] @ middle), kind="stable")].tolist()
        first = {self.patients[place]: place for place in reversed(order)}
        ordered = sorted(order, key=lambda place: first[self.patients[place]] != place)
        return ordered[:MOST_SHOWN]

    def points(self, seed: int) -> list[Point]:
        """The map."""
        places = evenly_apart(len(self.vectors), MOST_POINTS)
        flat = on_a_plane(self.vectors[places], seed)
        return [
            Point(x=x, y=y, cluster=int(self.clusters[place]), kind=self.kinds[place],
                  split=self.splits[place])
            for place, (x, y) in zip(places, flat.tolist(), strict=False)
        ]  # fmt: skip
