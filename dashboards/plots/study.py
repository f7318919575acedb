"""A sweep's trials as Optuna's study, made anew from what MLflow tells: who won, what mattered."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.trial import TrialState, create_trial

from dashboards.pages.view import SweepView, Trial
from dashboards.plots.scales import Scale, scale_of
from dashboards.recorded.numbers import number_of
from dashboards.tables.metrics import metric_of
from lesions.metrics.merit import Merit

LEAST_FINISHED = 10  # PED-ANOVA compares the best tenth with all: of fewer it says nothing
MOST_PARAMETERS = 30


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a sweep searched for: a name with its direction, and how a trial's value is found."""

    words: str
    merit: Merit
    of: Callable[[Trial], float | None]

    @property
    def end(self) -> str:
        """ "highest" or "lowest": the better one."""
        return "highest" if self.merit.better == "higher" else "lowest"


@dataclass(frozen=True)
class Searched:
    """A sweep's trials, as what searched sees them."""

    view: SweepView

    @cached_property
    def targets(self) -> list[Target]:
        """The objectives; without any, the figure of merit on the validation lesions."""
        merit = self.view.merit
        if not self.view.objectives:
            words = f"best validation {metric_of(merit.name).measured}"
            return [Target(words=words, merit=merit, of=lambda trial: trial.best_value(merit))]
        return [
            Target(words=metric_of(one.name).measured, merit=one, of=_value_of(one.name))
            for one in self.view.objectives
        ]

    @cached_property
    def scales(self) -> dict[str, Scale]:
        """Each searched parameter's, in the order of appearance."""
        found: dict[str, list[str]] = {}
        for trial in self.view.trials:
            for name, text in trial.searched.items():
                found.setdefault(name, []).append(text)
        return {name: scale_of(texts) for name, texts in list(found.items())[:MOST_PARAMETERS]}

    @cached_property
    def finished(self) -> list[Trial]:
        """The whole trials that have a value of every objective."""
        return [
            trial
            for trial in self.view.trials
            if trial.state == "finished" and None not in [one.of(trial) for one in self.targets]
        ]

    @cached_property
    def importances(self) -> dict[str, float]:
        """How much each parameter decides of what is searched for first, of 1 in all.

        By PED-ANOVA; empty where too few trials finished, nothing was varied, or all came to the
        same.
        """
        varied = [name for name, scale in self.scales.items() if scale.varies]
        values = {self.targets[0].of(trial) for trial in self.finished}
        if len(self.finished) < LEAST_FINISHED or not varied or len(values) < 2:
            return {}
        # Only now: it imports scikit-learn, which takes longer than to draw all plots.
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        with _quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Target and region quantiles")  # of equal values
            study = self._study(self.targets[:1], self.finished)
            found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
        return {name: float(share) for name, share in found.items() if number_of(share) is not None}

    @cached_property
    def front(self) -> list[Trial]:
        """The trials that no other beats in every objective, by the first one's value.

        One that breaks a constraint neither is of it nor beats another.
        """
        kept = [trial for trial in self.finished if not trial.breaks]
        if len(self.targets) < 2 or not kept:
            return []
        with _quiet():
            best = {trial.number for trial in self._study(self.targets, kept).best_trials}
        found = [trial for number, trial in enumerate(kept) if number in best]
        first = self.targets[0]
        return sorted(found, key=lambda trial: first.merit.rank(first.of(trial)))

    def by_importance(self) -> list[str]:
        """The parameters that were varied, the most important first; as searched where unknown."""
        varied = [name for name, scale in self.scales.items() if scale.varies]
        return sorted(varied, key=lambda name: -self.importances.get(name, 0.0))

    def numbers_by_importance(self) -> list[str]:
        """Those of them that are numbers: between choices there is nothing."""
        return [name for name in self.by_importance() if not self.scales[name].choices]

    def _study(self, targets: Sequence[Target], trials: Sequence[Trial]) -> Any:
        directions = ["maximize" if one.merit.mode == "max" else "minimize" for one in targets]
        study = optuna.create_study(directions=directions)
        for trial in trials:
            params, distributions = self._params(trial)
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    params=params,
                    distributions=distributions,
                    values=[one.of(trial) for one in targets],
                )
            )
        return study

    def _params(self, trial: Trial) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        params: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for name, text in trial.searched.items():
            scale = self.scales.get(name)
            if scale is None or not scale.varies:
                continue
            params[name] = text if scale.choices else float(text)
            distributions[name] = (
                CategoricalDistribution(scale.choices)
                if scale.choices
                else FloatDistribution(scale.low, scale.high, log=scale.log)
            )
        return params, distributions


def _value_of(name: str) -> Callable[[Trial], float | None]:
    return lambda trial: trial.values.get(name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of every study that it makes."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
