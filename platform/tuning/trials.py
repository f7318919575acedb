"""A sweep's trials as its study knows them: what is finished, what is left, what comes next."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from lesions.files import write_text
from platform.tuning.study import (
    FAULTS,
    NUMBER,
    REASON,
    Place,
    latest,
    said_distributions,
    tell,
    unreachable,
)
from trainables.configs import edited
from trainables.recipe import Recipe
from trainables.trial_folder import END, ERROR, TRIAL, TrialFolder

if TYPE_CHECKING:
    from platform.tuning.sweeps import Sweep

State = Literal["running", "finished", "pruned", "failed", "interrupted"]
STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}  # fmt: skip
STATE, STATE_FILE = "lesion.state", "state.json"
_OPTUNAS = {state: name.name for name, state in STATES.items()}
LOST = "its process died"


@dataclass
class Trial:
    """One of a sweep's.

    Attributes:
        number: the sweep's, 0 = the paper's values.
        told: Optuna's number of it; another where it was taken up again after it had failed.
        values: the searched fields'.
        folder: its own.
        state: where it is.
        objectives: its values of them, where it was trained to its end.
        breaks: the constraints that it does not keep.
        reason: why it failed, in a line.
        judged: epochs so far whose merit says something, see `Phase.answers`.
        last: its last epoch's metrics.
        began: when this driver began it, by the monotonic clock.
    """

    number: int
    told: int
    values: dict[str, Any]
    folder: TrialFolder
    state: State = "running"
    objectives: list[float] = field(default_factory=list)
    breaks: Sequence[str] = ()
    reason: str = ""
    judged: int = 0
    last: Mapping[str, float] = field(default_factory=dict)
    began: float = 0.0

    @property
    def id(self) -> str:
        """As its folder and its run in MLflow are called."""
        return self.folder.path.name

    @property
    def held_s(self) -> float:
        """How long it has held its share of the cluster so far, by this driver's clock."""
        return time.monotonic() - self.began if self.began else 0.0

    @property
    def epochs(self) -> int:
        """How many it has behind it."""
        return int(self.last.get("epoch", 0))

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.state in ("finished", "pruned")


class Trials:
    """All of a sweep's trials; the one driver of the sweep alone holds them.

    Attributes:
        all: by their numbers.
        left: numbers of those to be taken up again, which come before new ones.
    """

    def __init__(self, sweep: "Sweep", study: optuna.Study, space: Mapping[str, BaseDistribution]):
        self.sweep, self.study, self.space = sweep, study, dict(space)
        self.place: Place = sweep.place_of_study
        self.asked: dict[int, optuna.Trial] = {}
        known = latest(study.get_trials(deepcopy=False))
        self.all = {number: self._known(number, one) for number, one in sorted(known.items())}
        self._forget_unborn()
        for trial in self.all.values():
            if trial.state == "running" and is_whole(trial.last):
                self.end(trial, "finished")
        self.left = [number for number, trial in self.all.items() if not trial.over]

    def _known(self, number: int, frozen: FrozenTrial) -> Trial:
        folder = self.place.trial_folder(number)
        history = folder.history()
        was = folder.read(TRIAL) or {}
        trial = Trial(
            number=number, told=frozen.number, values=dict(was.get("values", frozen.params)),
            folder=folder, state=STATES[frozen.state],
            objectives=list(frozen.values or ()) if frozen.state == TrialState.COMPLETE else [],
            breaks=_broken(frozen.constraints),
            reason=str(frozen.user_attrs.get(REASON, "")), last=history[-1] if history else {},
        )  # fmt: skip
        trial.judged = len(self._judged(trial, history))
        return trial

    def _forget_unborn(self) -> None:
        """Trials that a kill took before they had a number: what they were to try comes again."""
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if NUMBER not in frozen.user_attrs:
                points = frozen.system_attrs.get("fixed_params") or frozen.params
                self.study.tell(frozen.number, state=TrialState.FAIL)
                if points:
                    self.study.enqueue_trial(points, skip_if_exists=False)

    def recipe(self, trial: Trial) -> Recipe:
        """A trial's phases."""
        return self.sweep.system.recipe(edited(self.sweep.config, trial.values))

    def take(self) -> Trial | None:
        """The next to be run; None where there is none left."""
        try:
            if self.left:
                return self._again(self.all[self.left.pop(0)])
            return self._new() if len(self.all) < self.sweep.trials else None
        except FAULTS as error:
            raise unreachable(self.place, error) from None

    def _new(self) -> Trial:
        asked = self.study.ask(self.space)
        number = max(self.all, default=-1) + 1
        asked.set_user_attr(NUMBER, number)
        trial = Trial(number=number, told=asked.number, values=dict(asked.params),
                      folder=self.place.trial_folder(number), began=time.monotonic())  # fmt: skip
        said = said_distributions(asked.distributions)
        trial.folder.write(TRIAL, {"values": trial.values, "number": number, "distributions": said})
        self.all[number], self.asked[number] = trial, asked
        return trial

    def _again(self, trial: Trial) -> Trial:
        """Take a trial up that was interrupted, or had failed: what it has is kept."""
        for told in (END, ERROR):
            (trial.folder.path / told).unlink(missing_ok=True)
        if trial.state == "failed":
            was = self.study.trials[trial.told]
            self.study.add_trial(
                create_trial(
                    state=TrialState.RUNNING,
                    params=was.params,
                    distributions=was.distributions,
                    user_attrs={NUMBER: trial.number},
                    intermediate_values=was.intermediate_values,
                )
            )
            trial.told = latest(self.study.trials)[trial.number].number
        history = trial.folder.history()
        trial.state, trial.reason, trial.began = "running", "", time.monotonic()
        trial.last = history[-1] if history else {}
        frozen = self.study.trials[trial.told]
        asked = self.asked[trial.number] = optuna.Trial(self.study, frozen._trial_id)
        if STATE in frozen.user_attrs:
            asked.set_user_attr(STATE, "running")
        for step, metrics in enumerate(self._judged(trial, history), 1):
            if step not in frozen.intermediate_values:  # the study was cut off
                self._tell(asked, step, metrics)
        return trial

    def report(self, trial: Trial, metrics: Mapping[str, float]) -> bool:
        """Tell the study an epoch's figure; whether the trial is to be pruned."""
        news = metrics["epoch"] > trial.last.get("epoch", 0)
        trial.last = metrics
        if not (news and self._judged(trial, [metrics])):
            return False
        trial.judged += 1
        asked = self.asked[trial.number]
        try:
            told = self._tell(asked, trial.judged, metrics)
            return told and asked.should_prune() and not is_whole(metrics)
        except FAULTS as error:
            raise unreachable(self.place, error) from None

    def _tell(self, asked: optuna.Trial, step: int, metrics: Mapping[str, float]) -> bool:
        """Tell the study a figure; Optuna takes none of a trial with several objectives."""
        value = metrics.get(self.sweep.system.merit.best, math.nan)
        if len(self.sweep.goals) > 1 or not math.isfinite(value):
            return False
        asked.report(value, step)
        return True

    def _judged(
        self, trial: Trial, history: Sequence[Mapping[str, float]]
    ) -> list[Mapping[str, float]]:
        """The epochs whose merit says something of the whole."""
        recipe = self.recipe(trial)
        return [epoch for epoch in history if recipe[int(epoch.get("phase", 1)) - 1].answers]

    def end(self, trial: Trial, state: State, reason: str = "") -> None:
        """Note how a trial ended: in its folder, then in the study."""
        objectives: list[float] = []
        bounds: list[float] = []
        if state == "finished":
            objectives, bounds, reason = self.sweep.judged(trial.folder.history() or [trial.last])
            state = "failed" if reason else state
        try:
            curve = self.study.get_trials(deepcopy=False)[trial.told].intermediate_values
            excess = dict(zip(self.sweep.constraint, bounds, strict=False))
            end = {
                "state": _OPTUNAS[state],
                "values": objectives,
                "reason": reason,
                "curve": curve,
                "constraints": excess,
            }
            trial.folder.write(END, {**end, "ended": time.time()})
            trial.folder.tidy()
            tell(self.study, trial.told, end)
        except FAULTS as error:
            raise unreachable(self.place, error) from None
        trial.state, trial.objectives, trial.reason = state, objectives, reason
        trial.breaks = _broken(excess)

    def interrupt(self, trial: Trial) -> None:
        """Note that a trial was stopped where it is, to be gone on with."""
        trial.state = "interrupted"
        with suppress(*FAULTS):  # it is a word for people
            self.asked[trial.number].set_user_attr(STATE, trial.state)

    @contextmanager
    def marked(self) -> Iterator[None]:
        """The study and the folder say whether the sweep runs, is finished, or interrupted."""
        self._mark("running")
        try:
            yield
        except BaseException:
            self._mark("interrupted")
            raise
        self._mark("finished" if self.ended() >= self.sweep.trials else "ended early")

    def _mark(self, state: str) -> None:
        with suppress(*FAULTS):
            self.study.set_user_attr(STATE, state)
        with suppress(OSError):
            write_text(self.place.folder / STATE_FILE, json.dumps({"state": state}))

    def ended(self) -> int:
        """How many have ended, failed ones too."""
        return sum(trial.over or trial.state == "failed" for trial in self.all.values())


def _broken(excess: Mapping[str, float]) -> list[str]:
    return [words for words, by in excess.items() if by > 0]


def trained_seconds(history: Sequence[Mapping[str, float]]) -> float:
    """What the epochs of a trial took."""
    return sum(metrics.get("epoch_seconds", 0.0) for metrics in history)


def is_whole(metrics: Mapping[str, float]) -> bool:
    """Whether an epoch's metrics are those of a trial that was trained to its end."""
    return metrics.get("done") == 1
