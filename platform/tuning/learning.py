"""What a sweep takes over from another: its trials as points, or one trial as the start of all."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.names import inside
from platform.running.plans import read_plan
from platform.tuning.study import Place, latest, read_study
from platform.tuning.sweeps import FORK, Sweep
from trainables.checkpoint import read_run
from trainables.configs import edited, flatten
from trainables.system import System
from trainables.trial_folder import TrialFolder

FROM = "lesion.from"  # user attribute of a point: which sweep's trial it was
OF = ("lesion.system", "lesion.data_fingerprint")  # user attributes of a study
_TOLD = (TrialState.COMPLETE, TrialState.PRUNED)


def tell_points(study: optuna.Study, sweep: Sweep, name: str) -> None:
    """Tell a study another sweep's trials, those that lie in what is searched; once, however often.

    Raises:
        InputError: there is no such sweep, or it is of another system or judged by other figures.
    """
    place = _place_of(sweep.folder.parent, name)
    other = read_study(place)
    _check_alike(study, other, name)
    known = {trial.user_attrs.get(FROM) for trial in study.get_trials(deepcopy=False)}
    trials = latest(other.get_trials(deepcopy=False))
    ended = {number: one for number, one in trials.items() if one.state in _TOLD}
    outside = 0
    for number, trial in ended.items():
        point = _point(trial, sweep.distributions, f"{name}:{number}")
        if point is None:
            outside += 1
        elif point.user_attrs[FROM] not in known:
            study.add_trial(point)
    where = f"; {outside} lie outside what is searched" if outside else ""
    say(f"{len(ended) - outside} of {len(ended)} trials of {name} are told as points{where}")


def _check_alike(study: optuna.Study, other: optuna.Study, name: str) -> None:
    if study.metric_names != other.metric_names or study.directions != other.directions:
        raise InputError(
            f"{name} is judged by {', '.join(other.metric_names or [])}, "
            f"this sweep by {', '.join(study.metric_names or [])}",
            remedy="say the same --objective",
        )
    system, data = (tuple(one.user_attrs.get(word) for one in (study, other)) for word in OF)
    if None not in system and system[0] != system[1]:
        raise InputError(f"{name} is a sweep of {system[1]}, this one of {system[0]}")
    if data[0] != data[1]:
        say(f"the trials of {name} were judged on other data: their figures may not compare")


def _point(
    trial: FrozenTrial, space: Mapping[str, BaseDistribution], known_as: str
) -> FrozenTrial | None:
    """A trial as another study takes it; None where it lies outside its space."""
    if trial.params.keys() != space.keys():
        return None
    try:
        return create_trial(
            state=trial.state, values=trial.values if trial.state == TrialState.COMPLETE else None,
            params=trial.params, distributions=dict(space), user_attrs={FROM: known_as},
            intermediate_values=trial.intermediate_values, constraints=trial.constraints or None,
        )  # fmt: skip
    except ValueError:
        return None


def forked(system: System, config: Any, said: set[str], sweeps: Path, words: str) -> Any:
    """The config of the trial NAME:NUMBER, with what the user says beside it.

    Args:
        system: of both.
        config: what this command's options say.
        said: the options that were written.
        sweeps: the folder of sweeps.
        words: NAME:NUMBER.

    Raises:
        InputError: there is no such trial, or it has no checkpoint, or is another system's.
    """
    other, theirs = read_run(_checkpoint(sweeps, words))
    if other.name != system.name:
        raise InputError(f"--fork {words} is a trial of {other.name}, not of {system.name}")
    asked = flatten(config)
    fields = [one.removeprefix("config.") for one in said if one.startswith("config.")]
    return edited(theirs, {name: asked[name] for name in fields if name in asked})


def keep_start(sweep: Sweep) -> None:
    """Copy the checkpoint that a fork begins with into its folder, where nobody takes it away."""
    target = sweep.folder / FORK
    if sweep.fork is None or target.exists():
        return
    new = Path(mkdtemp(dir=sweep.folder))
    shutil.copytree(_checkpoint(sweep.folder.parent, sweep.fork), new, dirs_exist_ok=True)
    new.rename(target)


def _checkpoint(sweeps: Path, words: str) -> Path:
    name, _, number = words.partition(":")
    if not number.isdecimal():
        raise InputError(f"--fork {words!r} is not NAME:NUMBER", remedy="as night:3")
    place = _place_of(sweeps, name)
    folder: TrialFolder = place.trial_folder(int(number))
    found = folder.checkpoint()
    if found is None:
        raise InputError(f"trial {number} of {name} has no whole checkpoint", file=folder.path)
    return found


def _place_of(sweeps: Path, name: str) -> Place:
    folder = inside(sweeps, name)
    plan = read_plan(folder / Sweep.file, Sweep)
    return Place(folder=folder, name=name, url=plan.get("study"))
