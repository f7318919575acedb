"""The comparison as one HTML file that needs nothing else: no server, no network, no script."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards.pages.view import LesionResult, SweepView
from dashboards.plots.sweeps import Plot, plots, searched_names
from dashboards.recorded.numbers import number_of, time_of
from dashboards.tables.comparison import COLUMNS, caution, comparison, short_number
from dashboards.tables.papers import PAPER_NAMES, PaperRow
from lesions.errors import InputError
from lesions.files import write_text

TEMPLATES = Path(__file__).with_name("templates")
PACKAGES = ("lesion-platform", "mlflow", "optuna", "ray", "torch", "numpy", "matplotlib")
# Tags shown elsewhere on the page, or in words of our own.
SHOWN_TAGS = ("kind", "sweep", "system", "best_trial", "data", "truth", "state")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One test lesion on the page; `data` is None where no picture was logged."""

    place: str
    lesion: LesionResult
    data: str | None


def write_report(view: SweepView, rows: list[PaperRow], path: Path) -> None:
    """Write the page, whole or not at all; the same view gives the same bytes.

    Raises:
        InputError: the file cannot be written.
    """
    write_page(path, render(view, rows))


def write_page(path: Path, html: str) -> None:
    """Write a page, whole or not at all; InputError where it cannot be written."""
    try:
        write_text(path, html)
    except OSError as error:
        raise InputError(
            f"the report cannot be written: {error.strerror or error}",
            file=path,
            remedy="choose another file that you may write",
        ) from None


def render(view: SweepView, rows: list[PaperRow]) -> str:
    """The page's HTML."""
    return fill(
        "report.html.j2",
        view=view,
        system=PAPER_NAMES.get(view.system, view.system),
        columns=COLUMNS,
        lines=comparison(view, rows),
        caution=caution(view, rows),
        facts=_facts(view),
        plots=[(plot, _svg(plot)) for plot in plots(view)],
        pictures=_pictures(view),
        patients=len({lesion.patient for lesion in view.lesions}),
        searched=searched_names(view.trials),
        provenance=_provenance(view),
        config=list(_flat(view.config)),
    )


def _svg(plot: Plot) -> Markup:
    """A plot as markup: Matplotlib escapes the words in its SVG."""
    return Markup(plot.svg)  # nosec B704


def fill(template: str, **values: Any) -> str:
    """A page of a template of ours; a value that the template wants and lacks is an error.

    Half a character, which JSON can hold and no file, is a question mark.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short_number
    page = environment.get_template(template).render(**values)
    return page.encode("utf-8", "replace").decode()


def _facts(view: SweepView) -> list[tuple[str, str]]:
    """The few numbers at the top: what a reader wants before any table."""
    facts = []
    for metric, label in (("dice", "test Dice"), ("long_axis_error", "mm long axis error"),
                          ("short_axis_error", "mm short axis error")):  # fmt: skip
        if (value := number_of(view.test.get(metric))) is not None:
            digits = 3 if metric == "dice" else 1
            facts.append((f"{value:.{digits}f}", label))
    if view.test_n:
        facts.append((str(view.test_n), "test lesions"))
    facts.append((str(len(view.trials)), "trials"))
    return facts


def _pictures(view: SweepView) -> list[Picture]:
    if not view.lesions:
        return []
    last = len(view.lesions)
    places = {1: "Best", (last + 1) // 2: "Median", last: "Worst"}
    return [
        Picture(place=places[rank], lesion=view.lesions[rank - 1], data=_data_uri(view, rank))
        for rank in sorted(places)
    ]


def _data_uri(view: SweepView, rank: int) -> str | None:
    picture = view.overlay_of(rank)
    return None if picture is None else data_uri(picture)


def data_uri(picture: bytes) -> str:
    """PNG bytes as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _provenance(view: SweepView) -> list[tuple[str, str]]:
    facts = [("state", view.status.lower())]
    for name, milliseconds in (("started", view.started), ("ended", view.ended)):
        if when := time_of(milliseconds, "%Y-%m-%d %H:%M UTC"):
            facts.append((name, when))
    facts += [
        (name.replace("_", " "), text)
        for name, text in sorted(view.tags.items())
        if name not in SHOWN_TAGS
    ]
    facts.append(("MLflow run", f"{view.run_id} in experiment {view.experiment}"))
    facts.append(("page written with", ", ".join(versions())))
    return facts


def versions() -> Iterator[str]:
    """Of the packages that a result depends on."""
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(config.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)
