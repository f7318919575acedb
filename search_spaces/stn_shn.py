"""What may vary in STN + SHN."""

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

WEIGHT = FloatDistribution(1.0, 100.0, log=True)


def space(config: Any) -> dict[str, BaseDistribution]:
    """The searched fields of an STN + SHN config, by their dotted names."""
    found: dict[str, BaseDistribution] = {
        "training.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "sigma": FloatDistribution(0.5, 3.0),
        "hourglass.stacks": CategoricalDistribution((1, 2, 4)),
    }
    if config.loss.cosine:
        found["loss.cosine"] = FloatDistribution(0.1, 10.0, log=True)
    if config.stn:
        found["loss.then_layout"] = WEIGHT
    if config.stn and config.loss.region:
        found["loss.first_region"] = WEIGHT
    return found
