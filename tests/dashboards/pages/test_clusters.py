"""The page of clusters: bounded and said, each picture once, all words escaped, no script."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dashboards.pages.clusters import (
    MOST_POINTS,
    ClusterPage,
    Group,
    Point,
    Shown,
    render_clusters,
    write_cluster_page,
)
from dashboards.pages.view import evenly_apart
from dashboards.plots.thumbnails import PIXELS, thumbnail
from lesions import Lesion, Recist
from lesions.readers.png import encode_slice
from tests.dashboards.pages.html_page import Page

CHROMIUM = Path("/usr/bin/chromium")
PROBE = """<script>
const fill = () => getComputedStyle(document.querySelector(".map circle")).fill;
const before = fill(); document.querySelector("#by-split").click();
document.title = JSON.stringify([
  document.documentElement.scrollWidth <= innerWidth, before !== fill(),
  performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).length
])</script>"""


def lesion(
    half: float = 10, spacing: tuple[float, float, float] = (1, 1, 1), middle: float = 100
) -> Lesion:
    """A square of 2 · half pixels, brighter than its body."""
    hu = np.zeros((200, 200), np.int16)
    low, high = int(middle - half), int(middle + half)
    hu[low:high, low:high] = 100
    ends = [[low, middle], [high - 1, middle], [middle, low], [middle, high - 1]]
    return Lesion(
        file="secret_file.png", row=1, recist=Recist(np.array(ends, float)), spacing=spacing,
        window=(-100, 100), shape=(200, 200), encoded=encode_slice(hu), patient="secret_patient",
    )  # fmt: skip


def decoded(png: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (PIXELS, PIXELS)
    return np.asarray(picture)


@pytest.fixture(scope="module")
def page() -> ClusterPage:
    png = thumbnail(lesion())
    shown = [Shown(place=0, kind="soft_tissue", split="train", like=(1, 2)),
             Shown(place=1, kind="a<b", split="test", like=(0,))]  # fmt: skip
    group = Group(number=3, kinds=["soft_tissue", "a<b"], splits=["train", "test"], shown=shown)
    points = [Point(x=0.5, y=0.5, cluster=3, kind="a<b", split="test"),
              Point(x=1.0, y=0.0, cluster=0, kind="liver", split="train")]  # fmt: skip
    return ClusterPage(
        data="set <i>", made_by="a <b>test</b>", lesions=9, clusters=4, merged=1, groups=[group],
        pictures={0: png, 1: png, 2: png}, points=points, tags={"seed": "0"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("half", "spacing"), [(10, (1, 1, 1)), (5, (2, 2, 1)), (20, (0.5, 0.5, 3))]
)
def test_thumbnails_are_of_one_scale(half: float, spacing: tuple[float, float, float]) -> None:
    """20 mm of 60, in the middle: 21 of 64 pixels each way."""
    bright = decoded(thumbnail(lesion(half, spacing))) > 200
    assert bright[PIXELS // 2].sum() == pytest.approx(20 * PIXELS / 60, abs=2)
    rows, columns = np.nonzero(bright)
    assert (rows.mean(), columns.mean()) == pytest.approx((31.5, 31.5), abs=0.8)


def test_a_large_lesion_is_whole() -> None:
    bright = decoded(thumbnail(lesion(half=50))) > 200
    assert bright[PIXELS // 2].sum() == pytest.approx(PIXELS / 1.3, abs=2)


def test_each_picture_is_held_once(page: ClusterPage) -> None:
    html = render_clusters(page)
    assert html.count("data:image/png") == 3
    assert [one["href"] for one in Page(html).named("use")] == ["#p0", "#p1", "#p2", "#p1", "#p0"]


def test_what_is_left_out_is_said(page: ClusterPage) -> None:
    text = re.sub(r"\s+", " ", Page(render_clusters(page)).text)
    assert "2 of the 9 lesions, evenly apart" in text
    assert "The 1 largest of the 4 clusters" in text
    assert "1 of a single patient was merged" in text
    whole = replace(page, lesions=2, clusters=1, merged=0)
    text = re.sub(r"\s+", " ", Page(render_clusters(whole)).text)
    assert "All lesions, by t-SNE" in text
    assert "All clusters, each" in text
    assert "merged" not in text


def test_words_of_others_are_only_words(page: ClusterPage) -> None:
    read = Page(render_clusters(page))
    assert "set <i>" in read.text
    assert "a <b>test</b>" in read.text
    assert "1 train, 1 test · 1 soft tissue, 1 a<b" in read.text
    assert read.named("script", "b") == []


def test_nobody_is_named(page: ClusterPage) -> None:
    assert "secret" not in render_clusters(page)


def test_a_small_set_has_no_map(page: ClusterPage) -> None:
    assert "too few lesions" in Page(render_clusters(replace(page, points=[]))).text


def test_many_clusters_have_a_short_legend(page: ClusterPage) -> None:
    points = [Point(x=0, y=0, cluster=at, kind="liver", split="train") for at in range(200)]
    text = Page(render_clusters(replace(page, points=points))).text
    assert "cluster 24" in text
    assert "cluster 25" not in text
    assert "and 176 more" in text


@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(page: ClusterPage, tmp_path: Path, width: int) -> None:
    """It fits, what colours the map is switched, nothing is fetched."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: the page was not looked at in a browser")
    path = tmp_path / "index.html"
    write_cluster_page(page, path)
    path.write_text(path.read_text().replace("</body>", PROBE + "</body>"))
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", f"--user-data-dir={tmp_path / 'chromium'}",
        f"--window-size={width},900", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>[true,true,0]</title>" in seen


def test_many_are_thinned_evenly() -> None:
    assert evenly_apart(7, MOST_POINTS) == list(range(7))
    found = evenly_apart(32_735, MOST_POINTS)
    assert (len(found), found[0], found[-1]) == (MOST_POINTS, 0, 32_734)
    assert set(np.diff(found).tolist()) <= {6, 7}
