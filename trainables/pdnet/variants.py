"""Table 3's ablations, AHRNet's loss, and the baseline, by name; each edits any config."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trainables.configs import edited
from trainables.level_set import EVEN, switched_on
from trainables.pdnet.config import PDNetConfig

SWITCHES = {
    "PE": "prior_encoder",
    "T2D": "top_down",
    "B2U": "bottom_up",
    "SA": "scale_attention",
}


def ablated(config: PDNetConfig, *parts: str) -> PDNetConfig:
    """The config with these parts of PDNet (keys of `SWITCHES`) switched on, all others off."""
    switches = {f"model.{field}": part in parts for part, field in SWITCHES.items()}
    return edited(config, {"network": "pdnet", **switches})


def nnunet(config: PDNetConfig) -> PDNetConfig:
    """The config with nnU-Net's network; inputs, loss, samples and training stay."""
    return replace(config, network="nnunet")


def with_level_set(config: PDNetConfig, **settings: Any) -> PDNetConfig:
    """PDNet whole, with the regional level set by the config's own settings but for those given."""
    return replace(ablated(config, *SWITCHES), rls=switched_on(config.rls, **settings))


VARIANTS: Mapping[str, Callable[[PDNetConfig], PDNetConfig]] = {
    "base": ablated,
    "base+PE": lambda config: ablated(config, "PE"),
    "base+PE+T2D": lambda config: ablated(config, "PE", "T2D"),
    "base+PE+T2D+B2U": lambda config: ablated(config, "PE", "T2D", "B2U"),
    "base+PE+T2D+B2U+SA": lambda config: ablated(config, "PE", "T2D", "B2U", "SA"),
    "base+PE+T2D+B2U+SA+RLS": with_level_set,
    "base+PE+T2D+B2U+SA+RLS-even": lambda config: with_level_set(config, **EVEN),
    "base+PE+T2D+B2U+SA+RLS-even-shuffled": lambda config: with_level_set(
        config, **EVEN, shuffled=True
    ),
    "nnunet": nnunet,
}
