"""What may vary in co-segmentation."""

from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution


def space(config: Any) -> dict[str, BaseDistribution]:
    """The searched fields of a co-segmentation config, by their dotted names."""
    found: dict[str, BaseDistribution] = {
        "training.learning_rate": FloatDistribution(1e-6, 1e-2, log=True),
        "training.weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
    }
    if config.model.network == "coseg":
        found["neighbours.count"] = IntDistribution(1, 20)
    if config.model.network == "coseg" and config.pairs.by == "cluster":
        found["pairs.clusters"] = IntDistribution(0, 400)
    if config.crf.on:
        found["crf.smoothness"] = FloatDistribution(0.0, 20.0)
        found["crf.appearance"] = FloatDistribution(0.0, 20.0)
    return found
