"""The comparison and the trials as tables in the terminal."""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboards.pages.view import SweepView
from dashboards.tables.comparison import (
    MISSING,
    Line,
    best_validation,
    columns_shown,
    comparison,
    short_number,
    sweep_notes,
    validated_on,
)
from dashboards.tables.metrics import metric_of
from dashboards.tables.papers import PaperRow
from dashboards.tables.trials import (
    COSTS,
    costs_known,
    objective_cell,
    objective_headings,
    searched_names,
    state_of,
    trial_notes,
)
from lesions.errors import printable

WIDE = 130  # columns from which a mean and its deviation fit on one line
PADDING = (0, 1, 0, 0)
STYLES = {"ours": "bold green", "reference": "", "paper": "cyan"}


def say(words: str) -> None:
    """Print what may hold words from elsewhere; line breaks stay, other control characters do not.

    A terminal obeys control characters: a file's name could move the cursor or rename the window.
    """
    print("\n".join(map(printable, words.split("\n"))), flush=True)


def plain(words: str) -> str:
    """Words from elsewhere in rich's markup: shown as they are, without control characters."""
    return escape(printable(words))


def print_notes(notes: Iterable[str], console: Console) -> None:
    """Print what a reader has to know, a sentence or more each."""
    for note in notes:
        console.print(f"[yellow]Note:[/] {plain(note)}")


def print_comparison(view: SweepView, rows: list[PaperRow], console: Console) -> None:
    """Print ours beside the references and the paper's rows, then the trials."""
    title = f"Sweep {plain(view.name)}"
    lines = comparison(view, rows)
    columns = columns_shown(lines, view.merit.name)
    console.print(lines_table(title, lines, columns, console.width >= WIDE))
    print_notes(sweep_notes(view, rows, lines), console)
    console.print()
    if view.trials:
        console.print(_trials_table(view, console.width >= WIDE))
        for words in trial_notes(view):
            console.print(plain(words))
    else:
        console.print("The sweep has no trials yet.")


def lines_table(title: str, lines: Sequence[Line], columns: Mapping[str, str], wide: bool) -> Table:
    """One row a line, and one below it with the intervals of its means, where it has any.

    Args:
        title: with rich's markup.
        lines: those of one source stand together.
        columns: heading by metric name.
        wide: whether the terminal is; on a narrow one a deviation stands below its mean.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=PADDING)
    table.add_column("Method" if wide else "Method\nMeasured on")
    if wide:
        table.add_column("Measured on")
    table.add_column("n", justify="right", no_wrap=True)
    for heading in columns.values():
        narrow = max(len("±99.999"), *map(len, heading.split()))
        table.add_column(plain(heading), justify="right", width=None if wide else narrow)
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        names = plain(line.method), f"[dim]{plain(line.measured_on)}[/]"
        table.add_row(
            *(names if wide else ["\n".join(names)]),
            MISSING if line.lesions is None else str(line.lesions),
            *(line.cell(metric, " ± " if wide else "\n±") for metric in columns),
            style=STYLES[line.source],
        )
        _add_below(table, line, columns, wide)
        if following is None or following.source != line.source:
            table.add_section()
    return table


def _add_below(table: Table, line: Line, columns: Iterable[str], wide: bool) -> None:
    below = ["\n".join(line.below(metric, " to " if wide else "–\n")) for metric in columns]
    if line.whose or any(below):
        table.add_row(*([""] if wide else []), line.whose, "", *below, style="dim")


def text_table(
    title: str, heading: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1
) -> Table:
    """A table of plain text: the first columns, of `words`, to the left, numbers to the right.

    A cell may have several lines.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=PADDING)
    for number, name in enumerate(heading):
        # Rich cuts a long word rather than another column's: names must stay whole.
        texts = [row[number] for row in rows] if number < words else []
        longest = max((len(word) for text in texts for word in text.split()), default=0)
        table.add_column(
            plain(name), justify="left" if number < words else "right", min_width=longest
        )
    for row in rows:
        table.add_row(*("\n".join(map(plain, cell.split("\n"))) for cell in row))
    return table


def _trials_table(view: SweepView, wide: bool) -> Table:
    """A row a trial; what each took where there is room, the sum of all stands below anyhow."""
    searched, costs = searched_names(view.trials), costs_known(view.trials) if wide else []
    objectives = objective_headings(view)
    on = validated_on(view.trials)
    table = Table(
        title=f"Trials{on and f', on {on}'}",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        padding=PADDING,
    )
    table.add_column("#", justify="right")
    table.add_column("State")
    for name in searched:
        table.add_column(plain(name), justify="right")
    metric = metric_of(view.merit.name)
    table.add_column(plain(f"Best validation {metric.measured}"), justify="right")
    table.add_column("Epochs", justify="right")
    for heading in (*objectives.values(), *costs):
        table.add_column(plain(heading), justify="right")
    for trial in view.trials:
        table.add_row(
            str(trial.number),
            plain(state_of(trial)),
            *(plain(short_number(trial.searched.get(name, MISSING))) for name in searched),
            best_validation(trial, view.merit),
            str(trial.epochs),
            *(objective_cell(trial, name) for name in objectives),
            *(COSTS[name](trial) for name in costs),
            style="bold green" if trial is view.best else "",
        )
    return table
