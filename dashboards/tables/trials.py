"""A sweep's trials as rows of text: state, value, what was searched, what each took."""

from collections.abc import Callable, Mapping, Sequence

from dashboards.pages.view import SweepView, Trial
from dashboards.plots.study import Searched
from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import MISSING, short_number
from dashboards.tables.metrics import metric_of
from lesions.errors import printable

LONGEST_REASON = 300  # letters of why a trial failed
MINUTE, HOUR = 60, 3600


def searched_names(trials: Sequence[Trial]) -> list[str]:
    """The searched parameters of all trials, in order of appearance."""
    return list(dict.fromkeys(name for trial in trials for name in trial.searched))


def objective_headings(view: SweepView) -> dict[str, str]:
    """Heading by metric, of the objectives; empty of a sweep that has but its figure of merit."""
    ways = {"higher": "higher is better", "lower": "lower is better"}
    return {
        one.name: f"{metric_of(one.name).heading}, {ways[one.better]}" for one in view.objectives
    }


def objective_cell(trial: Trial, name: str) -> str:
    """A trial's value of an objective."""
    return short_number(str(trial.values[name])) if name in trial.values else MISSING


COSTS: Mapping[str, Callable[[Trial], str]] = {
    "Images/s": lambda trial: digits(trial.images_per_second),
    "Duration": lambda trial: duration(trial.seconds),
    "Core-hours": lambda trial: digits(trial.hours_of("CPU")),
    "GPU-hours": lambda trial: digits(trial.hours_of("GPU")),
}


def costs_known(trials: Sequence[Trial]) -> list[str]:
    """The headings of `COSTS` that any trial has something for: no GPU's where none was held."""
    return [
        name
        for name, cell in COSTS.items()
        if any(cell(one) not in (MISSING, "0") for one in trials)
    ]


def cost_in_all(view: SweepView) -> list[tuple[str, str]]:
    """(sum, what it is) of core- and GPU-hours over the trials that tell; empty where none does."""
    facts = []
    for kind, words in (("CPU", "core-hours"), ("GPU", "GPU-hours")):
        told = [x for trial in view.trials if (x := trial.hours_of(kind)) is not None]
        if told and (kind == "CPU" or sum(told) > 0):
            of = "" if len(told) == len(view.trials) else f" of {len(told)} trials"
            facts.append((digits(sum(told)), words + of))
    return facts


def duration(seconds: float | None) -> str:
    """ "12.3 s", "4 min 10 s", "2 h 05 min"; a dash where it is not known."""
    if seconds is None or number_of(seconds) is None:
        return MISSING
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    if round(seconds) < HOUR:
        return f"{round(seconds) // MINUTE} min {round(seconds) % MINUTE:02d} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes // MINUTE} h {minutes % MINUTE:02d} min"


def digits(amount: float | None) -> str:
    """Hours, or images a second, with three digits that tell; a dash where they are not known."""
    if amount is None or number_of(amount) is None:
        return MISSING
    return f"{amount:.3g}" if amount < 1000 else f"{amount:.0f}"


def reason_of(trial: Trial) -> str:
    """Why a trial failed, in one line; "" where that was not told."""
    words = printable(trial.reason)
    return words if len(words) <= LONGEST_REASON else f"{words[: LONGEST_REASON - 1]}…"


def state_of(trial: Trial) -> str:
    """A trial's state, and what it breaks."""
    return f"{trial.state}, breaks {printable(trial.breaks)}" if trial.breaks else trial.state


def trial_notes(view: SweepView) -> list[str]:
    """What stands below the trials in the terminal: why some failed, which ones no other beats in
    every objective, and the cost of all.
    """
    notes = [f"Trial {one.number} {one.state}: {why}" for one in view.trials
             if (why := reason_of(one))]  # fmt: skip
    searched = Searched(view)
    if searched.front:
        numbers = ", ".join(str(one.number) for one in searched.front)
        notes.append(f"Pareto front, by {searched.targets[0].words}: trial {numbers}.")
    if cost := cost_in_all(view):
        notes.append(f"In all {', '.join(f'{amount} {words}' for amount, words in cost)}.")
    return notes
