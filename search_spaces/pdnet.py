"""What may vary in PDNet."""

from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution

SIGMA_RANGE = {1: (1.0, 8.0), 2: (2.0, 14.0)}


def space(config: Any) -> dict[str, BaseDistribution]:
    """The searched fields of a PDNet config, by their dotted names."""
    return {
        "loss.weight": FloatDistribution(1e-4, 0.5, log=True),
        "samples.sigma": FloatDistribution(*SIGMA_RANGE[config.stage]),
        "training.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
    }
