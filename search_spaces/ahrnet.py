"""What may vary in AHRNet."""

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

WEIGHT = FloatDistribution(0.5, 4.0)


def space(config: Any) -> dict[str, BaseDistribution]:
    """The searched fields of an AHRNet config, by their dotted names."""
    rate: dict[str, BaseDistribution] = {
        "training.learning_rate": FloatDistribution(1e-4, 1e-2, log=True)
    }
    if not config.rls.factor:
        return rate
    return rate | {
        "rls.inside": WEIGHT,
        "rls.outside": WEIGHT,
        "rls.factor": FloatDistribution(0.01, 10.0, log=True),
        "rls.joins": CategoricalDistribution((0.25, 0.5, 0.75)),  # epoch 20, 40, 60 of 80
    }


def first(config: Any) -> list[dict[str, Any]]:
    """Without the growth that λ2 above λ1 brings."""
    return [{"rls.inside": 1.0, "rls.outside": 1.0}] if config.rls.factor else []
