"""Samplers and pruners by name, and those of a user's own by import."""

import importlib
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler

from lesions import InputError

SAMPLERS = ("tpe", "gp", "cmaes", "random", "grid")
PRUNERS = ("asha", "hyperband", "median", "none")
FACTOR = 2  # of ASHA's and Hyperband's rungs: half go on


def sampler(name: str, seed: int, trials: int, begun: int) -> BaseSampler:
    """A sampler; the first half of a short search is drawn by chance where it learns from trials.

    Args:
        name: one of `SAMPLERS`, or package.module:Class, as of OptunaHub's, which is called with
            `seed` where it takes one.
        seed: of the search.
        trials: of the sweep.
        begun: how many have begun: a sweep that goes on must not draw the same again.

    Raises:
        InputError: there is no such.
    """
    seed = int(np.random.SeedSequence([seed, begun]).generate_state(1)[0]) if begun else seed
    random = max(2, min(10, trials // 2))
    if name == "tpe":
        return TPESampler(seed=seed, n_startup_trials=random, constant_liar=True)
    if name == "gp":
        return GPSampler(seed=seed, n_startup_trials=random)
    if name == "cmaes":
        return CmaEsSampler(
            seed=seed, n_startup_trials=random, warn_independent_sampling=False
        )  # fmt: skip
    if name in ("random", "grid"):  # a grid's points are told to the study beforehand
        return RandomSampler(seed=seed)
    found = _imported("--sampler", name, SAMPLERS, BaseSampler)
    try:
        made = found(seed=seed)
    except TypeError:
        made = found()
    return _checked("--sampler", name, made, BaseSampler)


def pruner(name: str, grace: int, epochs: int) -> BasePruner:
    """A pruner, which lets every trial have `grace` epochs; InputError where there is no such."""
    grace = min(grace, epochs)
    if name == "asha":
        return SuccessiveHalvingPruner(min_resource=grace, reduction_factor=FACTOR)
    if name == "hyperband":
        return HyperbandPruner(
            min_resource=grace, max_resource=max(epochs, grace), reduction_factor=FACTOR
        )
    if name == "median":
        return MedianPruner(n_startup_trials=2, n_warmup_steps=grace - 1)
    if name == "none":
        return NopPruner()
    return _checked(
        "--pruner", name, _imported("--pruner", name, PRUNERS, BasePruner)(), BasePruner
    )


def grid(space: Mapping[str, BaseDistribution], trials: int) -> list[dict[str, Any]]:
    """Points evenly over a space, at most `trials`: every field has as many as fit.

    A field of choices has all of them; on a log scale steps are even there.

    Raises:
        InputError: the choices alone are more than the trials.
    """
    choices = {name: list(one.choices) for name, one in space.items()
               if isinstance(one, CategoricalDistribution)}  # fmt: skip
    fixed = int(np.prod([len(values) for values in choices.values()], initial=1))
    if fixed > trials:
        raise InputError(
            f"a grid needs {fixed} trials for its choices alone, there are {trials}",
            remedy="take more --trials, or another --sampler",
        )
    others = len(space) - len(choices)
    each = int((trials / fixed) ** (1 / others) + 1e-9) if others else 1
    points = {name: choices[name] if name in choices else _steps(one, each)
              for name, one in space.items()}  # fmt: skip
    return [dict(zip(points, values, strict=True)) for values in product(*points.values())]


def _steps(one: BaseDistribution, count: int) -> list[Any]:
    assert isinstance(one, FloatDistribution | IntDistribution)
    spaced = np.geomspace if one.log else np.linspace
    if count == 1:
        middle = (one.low * one.high) ** 0.5 if one.log else (one.low + one.high) / 2
        found = [middle]
    else:
        found = [float(value) for value in spaced(one.low, one.high, count)]
    if isinstance(one, IntDistribution):
        return sorted({min(one.high, max(one.low, round(value))) for value in found})
    if one.step is not None:
        step = one.step
        return sorted({one.low + round((value - one.low) / step) * step for value in found})
    return [min(one.high, max(one.low, value)) for value in found]


def _imported(option: str, name: str, known: tuple[str, ...], kind: type) -> Any:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise InputError(
            f"{option} {name!r} is not known",
            remedy=f"choose of {', '.join(known)}, or a class of yours: package.module:Class",
        )
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{option} {name}: {error}", remedy=f"is it a {kind.__name__}?") from None


def _checked(option: str, name: str, made: Any, kind: Any) -> Any:
    if not isinstance(made, kind):
        raise InputError(f"{option} {name} makes no {kind.__name__} of Optuna's")
    return made
