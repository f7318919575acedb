"""The comparison as one HTML file that needs nothing else: no server, no network, no script."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards.pages.view import LesionResult, SweepView
from dashboards.plots.drawing import Plot
from dashboards.plots.searches import search_plots
from dashboards.plots.sweeps import plots
from dashboards.recorded.numbers import count_of, time_of
from dashboards.tables.comparison import (
    best_validation,
    caution,
    columns_shown,
    comparison,
    in_patients,
    in_words,
    line_notes,
    short_number,
    validated_on,
    values_of,
)
from dashboards.tables.metrics import columns_of, metric_of, reported_in
from dashboards.tables.papers import PaperRow, title_of
from dashboards.tables.trials import (
    COSTS,
    cost_in_all,
    objective_cell,
    objective_headings,
    reason_of,
    searched_names,
    state_of,
)
from lesions.errors import InputError
from lesions.files import write_text

TEMPLATES = Path(__file__).with_name("templates")
PACKAGES = ("lesion-platform", "mlflow", "optuna", "ray", "torch", "numpy", "matplotlib")
# Tags shown elsewhere on the page, or in words of our own.
SHOWN_TAGS = (
    "kind", "sweep", "system", "best_trial", "data", "truth", "state", "merit", "better",
    "trained_on", "objectives", "measured", "ended_early",
)  # fmt: skip
AXES = ("long", "short")
MOST_FACTS = 5  # metrics at the top of the page


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One test lesion on the page.

    Attributes:
        place: among all: "Best".
        lesion: its result.
        merit: its figure of merit, in words.
        measured: what else was measured, a line each.
        data: the picture; None where none was logged.
        weighed: what a network with attention weighed; None for others.
    """

    place: str
    lesion: LesionResult
    merit: str
    measured: Sequence[str]
    data: str | None
    weighed: str | None = None


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
    lines = comparison(view, rows)
    columns = columns_shown(lines, view.merit.name)
    search = search_plots(view)
    return fill(
        "report.html.j2",
        view=view,
        system=title_of(view.system),
        merit=metric_of(view.merit.name),
        columns=columns,
        diameters=any(name in columns for name in map(_axis_error, AXES)),
        lines=lines,
        paper=bool(rows),
        caution=caution(view, rows),
        facts=_facts(view),
        plots=with_svg(plots(view)),
        pictures=_pictures(view),
        patients=len({lesion.patient for lesion in view.lesions}),
        search=with_svg(search.plots),
        missing=search.missing,
        front=search.front,
        searched=searched_names(view.trials),
        objectives=objective_headings(view),
        costs=COSTS,
        hours_known=bool(cost_in_all(view)),
        validated_on=validated_on(view.trials),
        intervals=any(trial.best_interval(view.merit) for trial in view.trials),
        provenance=_provenance(view),
        config=list(_flat(view.config)),
    )


def with_svg(drawn: Iterable[Plot]) -> list[tuple[Plot, Markup]]:
    """Plots, each with its markup: Matplotlib escapes the words in its SVG."""
    return [(plot, Markup(plot.svg)) for plot in drawn]  # nosec B704


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
    environment.filters |= {
        "short": short_number, "notes": line_notes, "patients": in_patients,
        "best_validation": best_validation, "objective": objective_cell, "reason": reason_of,
        "state": state_of,
    }  # fmt: skip
    page = environment.get_template(template).render(**values)
    return page.encode("utf-8", "replace").decode()


def _facts(view: SweepView) -> list[tuple[str, str]]:
    """The few numbers at the top: what a reader wants before any table."""
    facts, found = [], values_of(view.test)
    shown = dict.fromkeys([view.merit.name, *_errors(reported_in(view.test))])
    for name in list(shown)[:MOST_FACTS]:
        if name in found:
            metric, value = metric_of(name), found[name].mean
            digits, before = (1, metric.unit) if metric.unit else (metric.digits, "test")
            ends = " to ".join(f"{end:.{digits}f}" for end in found[name].interval or ())
            facts.append((f"{value:.{digits}f}", f"{before} {metric.words}{ends and f' ({ends})'}"))
    if view.test_n:
        patients = count_of(view.test.get("test_patients"))
        whose = "" if patients is None else f" of {in_patients(patients)}"
        facts.append((str(view.test_n), f"test lesions{whose}"))
    facts.append((str(len(view.trials)), "trials"))
    return [*facts, *cost_in_all(view)]


def _pictures(view: SweepView) -> list[Picture]:
    if not view.lesions:
        return []
    last, name = len(view.lesions), view.merit.name
    places = {1: "Best", (last + 1) // 2: "Median", last: "Worst"}
    return [
        Picture(
            place=places[rank],
            lesion=lesion,
            merit=in_words(name, lesion.metrics.get(name)),
            measured=list(_measured(view, lesion)),
            data=_data_uri(view.overlay_of(rank)),
            weighed=_data_uri(view.attention_of(rank)),
        )
        for rank in sorted(places)
        for lesion in [view.lesions[rank - 1]]
    ]


def _measured(view: SweepView, lesion: LesionResult) -> Iterator[str]:
    """Both diameters and their errors where the sweep has them, then its other errors."""
    reported = {name for one in view.lesions for name in one.metrics} | set(view.test)
    for axis, size in zip(AXES, (lesion.long_axis_mm, lesion.short_axis_mm), strict=True):
        length = f"{axis} axis" if size is None else f"{axis} axis {size:.1f} mm"
        error = lesion.metrics.get(_axis_error(axis))
        if error is not None:
            yield f"{length}, error {error:.1f} mm"
        elif not reported.isdisjoint(map(_axis_error, AXES)):
            yield f"{length}, nothing predicted to measure"
        elif size is not None:
            yield length
    said = (view.merit.name, *map(_axis_error, AXES))
    for name in _errors(lesion.metrics):
        if name not in said:
            yield in_words(name, lesion.metrics.get(name))


def _errors(names: Iterable[str]) -> list[str]:
    """Those that are lengths."""
    return [name for name in columns_of(names) if metric_of(name).unit and metric_of(name).always]


def _axis_error(axis: str) -> str:
    return f"{axis}_axis_error"


def _data_uri(picture: bytes | None) -> str | None:
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
