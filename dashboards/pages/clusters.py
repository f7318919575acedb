"""Which lesions look alike, as one HTML file: clusters as pictures, a map, the nearest of each.

Without a name of a patient or a file: nobody needs one here. Each picture is in the file once,
however often it is shown; what colours the map is switched without a script.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dashboards.pages.report import data_uri, fill, versions, write_page
from dashboards.plots.thumbnails import PIXELS, SIDE_MM
from lesions.lesion import SPLITS

MOST_POINTS = 5000  # of the map
MOST_CLUSTERS, MOST_SHOWN, MOST_LIKE = 40, 6, 4
_HUES, _STEP = 360, 137.508  # degrees: the golden angle keeps neighbours in the list apart
_MOST_NAMED = 24  # clusters in the map's legend


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A lesion on the page.

    Attributes:
        place: of its picture.
        kind: its type.
        split: where it belongs.
        like: places of the lesions of other patients that look most like it, the first the most.
    """

    place: int
    kind: str
    split: str
    like: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """A cluster.

    Attributes:
        number: its own, 0 = the first.
        kinds: the types of all its lesions, of every split.
        splits: likewise.
        shown: a few of them, the most typical first.
    """

    number: int
    kinds: Sequence[str]
    splits: Sequence[str]
    shown: Sequence[Shown]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A lesion on the map: its place within 0…1, and what may colour it."""

    x: float
    y: float
    cluster: int
    kind: str
    split: str


@dataclass(frozen=True, kw_only=True)
class ClusterPage:
    """What the page shows.

    Attributes:
        data: the set, in words.
        made_by: what embedded its lesions, in words.
        lesions, merged: how many lesions, and merged clusters, there are.
        groups: of all clusters the largest, at most `MOST_CLUSTERS`.
        clusters: how many there are.
        pictures: PNG bytes by the place of a lesion.
        points: on the map; maybe some of the lesions alone.
        tags: where this comes from, by name.
    """

    data: str
    made_by: str
    lesions: int
    clusters: int
    merged: int
    groups: Sequence[Group]
    pictures: Mapping[int, bytes]
    points: Sequence[Point] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Colouring:
    """A way to colour the map: what its legend names, each with a class and a colour."""

    name: str
    legend: Sequence[tuple[str, str, str]]
    rest: int = 0  # that the legend leaves out


def write_cluster_page(page: ClusterPage, path: Path) -> None:
    """Write the page, whole or not at all; InputError where it cannot be written."""
    write_page(path, render_clusters(page))


def render_clusters(page: ClusterPage) -> str:
    """The page's HTML."""
    return fill(
        "clusters.html.j2",
        page=page,
        facts=[(f"{page.lesions:,}", "lesions"), (str(page.clusters), "clusters")],
        pictures={place: data_uri(png) for place, png in sorted(page.pictures.items())},
        pixels=PIXELS,
        side_mm=f"{SIDE_MM:g}",
        like=MOST_LIKE,
        most=MOST_SHOWN,
        groups=[(group, _counted(group.splits, SPLITS), _counted(group.kinds))
                for group in page.groups],
        colourings=_colourings(page.points),
        dots=_dots(page.points),
        provenance=[("data", page.data), *page.tags.items(),
                    ("page written with", ", ".join(versions()))],
    )  # fmt: skip


def _counted(words: Iterable[str], order: Sequence[str] = ()) -> str:
    """How many of each, in this order or the most frequent first: "12 lung, 3 liver"."""
    counts = Counter(words)
    names = [name for name in order if name in counts] or [name for name, _ in counts.most_common()]
    return ", ".join(f"{counts[name]} {_spoken(name)}" for name in names)


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _kinds(points: Sequence[Point]) -> list[str]:
    return [name for name, _ in Counter(point.kind for point in points).most_common()]


def _colourings(points: Sequence[Point]) -> list[_Colouring]:
    """By cluster, type and split."""
    clusters = sorted({point.cluster for point in points})
    by_cluster = [(f"c{one}", _colour(one), f"cluster {one + 1}") for one in clusters]
    kinds = [(f"t{at}", _colour(at), _spoken(kind)) for at, kind in enumerate(_kinds(points))]
    there = {point.split for point in points}
    splits = [(f"s{at}", _colour(at), name) for at, name in enumerate(SPLITS) if name in there]
    return [
        _Colouring(name="cluster", legend=by_cluster, rest=max(0, len(by_cluster) - _MOST_NAMED)),
        _Colouring(name="type", legend=kinds),
        _Colouring(name="split", legend=splits),
    ]


def _colour(number: int) -> str:
    """Of the same strength on a light page and on a dark one."""
    return f"hsl({(210 + number * _STEP) % _HUES:.0f} 62% {(50, 62, 40)[number // 12 % 3]}%)"


def _dots(points: Sequence[Point]) -> list[tuple[str, str, str]]:
    """Each point's place in the map's units, and the classes that colour it."""
    kinds = {kind: at for at, kind in enumerate(_kinds(points))}
    return [
        (f"{10 + 580 * one.x:.1f}", f"{10 + 400 * (1 - one.y):.1f}",
         f"c{one.cluster} t{kinds[one.kind]} s{SPLITS.index(one.split)}")
        for one in points
    ]  # fmt: skip
