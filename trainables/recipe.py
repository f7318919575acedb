"""How a part is trained, as data: phases in a row, of one or several objectives in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lesions.errors import InputError
from trainables.configs import check_range

Begins = Literal["fresh", "last", "best"]
MOST_EPOCHS, MOST_MILESTONES = 1_000_000, 100


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Which optimiser, and how it is set.

    Attributes:
        kind: Adam, AdamW (whose weight decay is decoupled) or SGD.
        learning_rate: before the schedule.
        momentum: of SGD alone.
        weight_decay: L2 of Adam and SGD, decoupled of AdamW.
    """

    kind: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How learning rates change, by whichever kind of schedule.

    Attributes:
        milestones: fractions of the epochs, 100 at most.
        decay: factor at each milestone or plateau, up to 1000.
        warmup: epochs of linear rise from zero.
        patience: epochs without a gain that make a plateau.
        gain: the least relative gain that counts, up to 1.
        drops: how many times "plateau" multiplies, 100 at most; the next plateau is the end.
        longest: epochs that "plateau" stays at one rate at most; 0 = any.
    """

    milestones: tuple[float, ...] = (0.5, 0.75)
    decay: float = 0.1
    warmup: int = 0
    patience: int = 5
    gain: float = 0.001
    drops: int = 2
    longest: int = 0


@dataclass(frozen=True, kw_only=True)
class Schedule(Rates):
    """A factor on the learning rates, epoch by epoch of a phase.

    Attributes:
        kind: "steps" multiplies by `decay` at each of `milestones`; "cosine" falls to zero;
            "plateau" multiplies by `decay` whenever the validation figure has been stable, and
            ends the phase at the drop after `drops`; "constant" stays.
        first: epoch of a longer course that is the phase's first, where the phase is part of one.
        of: epochs of that course; 0 = the phase is a course of its own.
    """

    kind: Literal["steps", "cosine", "plateau", "constant"] = "steps"
    first: int = 0
    of: int = 0


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What one optimiser lowers.

    Attributes:
        name: told to the system's `terms`, and before the names of its terms in curves where a
            phase has several.
        weights: of the terms of the loss, by name; a term that is absent counts once, one of
            weight 0 need not be computed.
        learns: the parameters that it changes: those whose names begin with one of these.
        optimizer: its own.
    """

    name: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    learns: tuple[str, ...] = ("",)
    optimizer: Optimizer = field(default_factory=Optimizer)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training.

    Attributes:
        epochs: how many, at most.
        objectives: lowered in turn at every batch.
        schedule: of all their learning rates.
        name: for people.
        begins: from a "fresh" network, or from the phase before: its "last" epoch or its "best".
            The first phase is fresh whatever it says.
        takes: parts of the system whose trained weights the network takes over at the start.
        relabels: the training masks are made anew before it, by the best model so far.
        watches: what its plateaus are of: the system's figure of "merit", or the "loss" over the
            validation lesions, where the whole does not answer yet.
        answers: whether the whole answers while it learns, so that the figure of merit says
            something; sweeps judge, and stop, no trial by epochs of other phases.
        goes_on: its optimisers keep the state of the phase before, which had as many objectives
            that learned the same; for a phase that only changes weights or rates.
    """

    epochs: int
    objectives: tuple[Objective, ...] = (Objective(),)
    schedule: Schedule = field(default_factory=Schedule)
    name: str = ""
    begins: Begins = "fresh"
    takes: tuple[str, ...] = ()
    relabels: bool = False
    watches: Literal["merit", "loss"] = "merit"
    answers: bool = True
    goes_on: bool = False

    def __post_init__(self) -> None:
        """InputError for a phase that cannot be."""
        check_range("a phase's epochs", self.epochs, 1, MOST_EPOCHS)
        if not self.objectives:
            raise InputError(f"the phase {self.name!r} has no objective")
        if self.goes_on and self.begins != "last":
            raise InputError(f"the phase {self.name!r} goes on, and does not begin from the last")


Recipe = Sequence[Phase]


def total_epochs(recipe: Recipe) -> int:
    """Of all phases, if none ends early.

    >>> total_epochs([Phase(epochs=120), Phase(epochs=30, begins="last")])
    150
    """
    return sum(phase.epochs for phase in recipe)


def rounds_of(recipe: Recipe) -> list[range]:
    """The phases by number, cut before each that relabels.

    >>> rounds_of([Phase(epochs=8), Phase(epochs=2, begins="last"), Phase(epochs=8, relabels=True)])
    [range(0, 2), range(2, 3)]
    """
    starts = [0, *(n for n, phase in enumerate(recipe) if n and phase.relabels)]
    return [range(a, b) for a, b in zip(starts, [*starts[1:], len(recipe)], strict=True)]
