"""The report in a real browser: it fits, decodes its pictures, fetches nothing, has two colours."""

import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from dashboards.pages.report import render
from dashboards.pages.view import SweepView
from dashboards.tables.papers import shown_rows

CHROMIUM = Path("/usr/bin/chromium")
PROBE = """<script>document.title = JSON.stringify([
  document.documentElement.scrollWidth <= innerWidth,
  [...document.images].every(i => i.naturalWidth === 384),
  performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).length,
  getComputedStyle(document.querySelector("svg text")).fontSize !== "0px"])</script>"""


@pytest.fixture(scope="module")
def html(view: SweepView) -> str:
    return render(view, shown_rows("pdnet"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: the page was not looked at in a browser")
    return [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--hide-scrollbars", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("judged_by", ["Dice", "an error"])
def test_in_a_browser(
    html: str, located: SweepView, browser: list[str], tmp_path: Path, width: int, judged_by: str
) -> None:
    page = tmp_path / "page.html"
    html = html if judged_by == "Dice" else render(located, shown_rows("stn_shn"))
    page.write_text(html.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    command = [*browser, f"--window-size={width},900", "--dump-dom", page.as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    # Fits the width, every picture decodes, nothing was fetched, the plots' text has a size.
    assert re.search(r"<title>(.*?)</title>", seen) is not None
    assert "<title>[true,true,0,true]</title>" in seen


def test_light_and_dark(html: str, browser: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(html, encoding="utf-8")
    brightness = []
    for scheme in ("1", "0"):
        picture = tmp_path / f"{scheme}.png"
        setting = f"--blink-settings=preferredColorScheme={scheme}"
        command = [*browser, setting, "--window-size=800,600", f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], capture_output=True, timeout=120, check=True)
        shown = cv2.imread(str(picture))
        assert shown is not None
        brightness.append(float(np.median(shown)))
    light, dark = brightness
    assert light > 230
    assert dark < 40
