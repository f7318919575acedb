"""A sweep's trials, opened: what its study has, and what a new study is to try first."""

from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution

from dashboards.tables.terminal import say
from platform.tuning.choices import grid, pruner, sampler
from platform.tuning.learning import FROM, OF, tell_points
from platform.tuning.spaces import first_trials
from platform.tuning.study import open_study
from platform.tuning.sweeps import Sweep
from platform.tuning.trials import Trials
from trainables.configs import flatten


def open_trials(sweep: Sweep, learn_from: Sequence[str] = ()) -> Trials:
    """The sweep's trials, as its study and their folders tell; a new study knows what comes first.

    Args:
        sweep: whose.
        learn_from: other sweeps, whose trials are told as points.

    Raises:
        InputError: the study is another sweep's, its storage is away, a sampler is not known.
    """
    goals, space = sweep.goals, sweep.distributions
    study = open_study(
        sweep.place_of_study, [goal.direction for goal in goals], [goal.metric for goal in goals]
    )
    for word, value in zip(OF, (sweep.system.name, sweep.data.fingerprint), strict=True):
        if word not in study.user_attrs:
            study.set_user_attr(word, value)
    for name in learn_from:
        tell_points(study, sweep, name)
    if not any(FROM not in one.user_attrs for one in study.get_trials(deepcopy=False)):
        for point in _points(sweep):
            study.enqueue_trial(point, skip_if_exists=True)
    trials = Trials(sweep, study, space)
    study.sampler = sampler(sweep.sampler, sweep.seed, sweep.trials, len(trials.all))
    study.pruner = pruner(sweep.pruner, sweep.grace, sweep.judged_epochs)
    return trials


def _points(sweep: Sweep) -> list[dict[str, Any]]:
    if sweep.sampler == "grid":
        return grid(sweep.distributions, sweep.trials)
    space, found = sweep.distributions, []
    early = first_trials(sweep.system, sweep.config, space)
    if sweep.fork is not None:  # its own values are what it is about
        own = flatten(sweep.config)
        early = [{name: own[name] for name in space}, *early]
    for point in early:
        within = {name: value for name, value in point.items() if _contains(space[name], value)}
        if len(within) < len(point):
            say(f"outside what is searched, and drawn: {', '.join(sorted(point.keys() - within))}")
        found.append(within)
    return found


def _contains(one: BaseDistribution, value: Any) -> bool:
    try:
        return bool(one._contains(one.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False
