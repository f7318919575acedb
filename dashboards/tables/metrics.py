"""What tables, plots and pages know of metrics: their words, units, digits, and their order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from lesions.errors import shown, spoken
from lesions.metrics.shares import OfLesions, of_lesions

MOST_UNKNOWN = 12  # columns of metrics that nobody here knows
MISSED = "missed"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How a metric is shown.

    Attributes:
        words: in a sentence, without its unit: "long axis error".
        title: where a sentence or a heading begins: "Long axis error".
        unit: "mm", "pixel"; "" of a fraction, of a count, and where nobody here knows.
        digits: after the point.
        better: which way it gets better.
        fraction: whether it lies between 0 and 1.
        always: shown wherever it was measured; else beside a paper only where its rows have it.
    """

    words: str
    title: str
    unit: str = ""
    digits: int = 3
    better: Literal["higher", "lower"] = "higher"
    fraction: bool = False
    always: bool = True

    @property
    def heading(self) -> str:
        """Above its column, with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def measured(self) -> str:
        """In a sentence, with its unit."""
        return f"{self.words} ({self.unit})" if self.unit else self.words


def _fraction(title: str, words: str = "", *, always: bool = True) -> Metric:
    return Metric(words=words or title, title=title, fraction=True, always=always)


def _error(words: str, unit: str) -> Metric:
    return Metric(words=words, title=words.capitalize(), unit=unit, better="lower")


# In the order of columns.
METRICS: Mapping[str, Metric] = {
    "precision": _fraction("Precision", "precision"),
    "recall": _fraction("Recall", "recall"),
    "dice": _fraction("Dice"),
    "dice_3d": _fraction("Dice, 3D"),
    "dice_after_grabcut": _fraction("Dice after GrabCut"),
    "vs": _fraction("VS", always=False),
    "avd": Metric(words="AVD", title="AVD", unit="pixel", better="lower", always=False),
    "hd95_mm": Metric(words="HD95", title="HD95", unit="mm", better="lower", always=False),
    "assd_mm": Metric(words="ASSD", title="ASSD", unit="mm", better="lower", always=False),
    "surface_dice_2mm": _fraction("Surface Dice at 2 mm", "surface Dice at 2 mm", always=False),
    "long_axis_error": _error("long axis error", "mm"),
    "short_axis_error": _error("short axis error", "mm"),
    "long_axis_location_error": _error("long axis location error", "pixel"),
    "long_axis_length_error": _error("long axis length error", "pixel"),
    "short_axis_location_error": _error("short axis location error", "pixel"),
    "short_axis_length_error": _error("short axis length error", "pixel"),
    "long_axis_location_mm": _error("long axis location error", "mm"),
    "short_axis_location_mm": _error("short axis location error", "mm"),
    "uncertain": _fraction("Uncertain pixels", "uncertain pixels"),
    "ms": Metric(words="ms per lesion", title="ms per lesion", digits=1, better="lower"),
    MISSED: Metric(words="not found", title="Not found", digits=0, better="lower"),
}


def metric_of(name: str) -> Metric:
    """The metric of a name; one of a part, "dice_stage1", is made of both; else the name itself.

    The worst of lesions, "worst_dice", and shares of them are made of what is told, and of whose.
    """
    told = of_lesions(name)
    return _plain(name) if told is None else _told(told, _plain(told.metric))


def _plain(name: str) -> Metric:
    if name in METRICS:
        return METRICS[name]
    for known in sorted(METRICS, key=len, reverse=True):
        if name.startswith(f"{known}_"):
            part, metric = part_words(name.removeprefix(f"{known}_")), METRICS[known]
            words, title = (f"{text}, {part}" for text in (metric.words, metric.title))
            return replace(metric, words=words, title=title)
    return Metric(words=shown(name), title=shown(name))


def _told(told: OfLesions, metric: Metric) -> Metric:
    if not told.sign:
        return replace(metric, words=f"worst {metric.words}", title=f"Worst {metric.title}")
    reached = f"{metric.words} {told.sign} {told.level}"
    title = f"{metric.title} {told.sign} {told.level}"
    return _fraction(title, f"share of lesions with {reached}")


def named_with_unit(name: str, before: str = "") -> str:
    """A column's name in a file: "avd_pixel", "long_axis_error_mm"; one without a unit as it is.

    Args:
        name: of a metric, or of what is none.
        before: a part's name, which some metrics have before their own: "stage2_".
    """
    unit = metric_of(name.removeprefix(before)).unit
    return f"{name}_{unit}" if unit and not name.endswith(f"_{unit}") else name


def units_of(names: Iterable[str]) -> str:
    """Those of metrics that have one: "avd pixel, long_axis_error mm"."""
    return ", ".join(f"{name} {unit}" for name in names if (unit := metric_of(name).unit))


def part_words(part: str) -> str:
    """A part's name in words: "stage 1" of "stage1"."""
    return shown(spoken(part))


def columns_of(ours: Iterable[str], theirs: Iterable[str] = (), merit: str = "") -> dict[str, str]:
    """Heading by metric, in the one order: those that our lines or the paper's rows have.

    Args:
        ours: names of metrics that were measured here.
        theirs: those of the paper's rows.
        merit: the metric that is shown in any case where it was measured.
    """
    mine, papers = dict.fromkeys(ours), dict.fromkeys(theirs)
    wanted = [
        name for name in mine
        if not papers or name in papers or name == merit or metric_of(name).always
    ]  # fmt: skip
    both = dict.fromkeys([*wanted, *papers])
    known = [name for name in METRICS if name in both]
    unknown = islice((name for name in both if name not in METRICS), MOST_UNKNOWN)
    return {name: metric_of(name).heading for name in (*known, *unknown)}


def reported_in(metrics: Mapping[str, float]) -> list[str]:
    """The metrics that a run measured over lesions: those known here, and any with a deviation."""
    return [name for name in metrics if name in METRICS or f"{name}_std" in metrics]
