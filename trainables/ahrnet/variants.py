"""The rows of Tables 1 and 2, and a control, by name; each edits any config."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trainables.ahrnet.config import AHRNetConfig
from trainables.configs import edited
from trainables.level_set import EVEN, is_even, switched_on

SWITCHES = {"DE": "decoder", "DA": "dual_attention", "SA": "scale_attention"}
AHRNET = "HRNet+DE+DA+SA"  # as Table 2 calls it

Edit = Callable[[AHRNetConfig], AHRNetConfig]


def hrnet(*parts: str) -> Edit:
    """HRNet with these parts (keys of `SWITCHES`); all others, and the level set, off."""
    switches = {f"model.{name}": part in parts for part, name in SWITCHES.items()}
    return lambda config: without(edited(config, {"network": "ahrnet", **switches}))


def nnunet(config: AHRNetConfig) -> AHRNetConfig:
    """nnU-Net's network, without the level set; samples and training stay."""
    return without(replace(config, network="nnunet"))


def without(config: AHRNetConfig) -> AHRNetConfig:
    """Without the level set."""
    return replace(config, rls=replace(config.rls, factor=0.0))


def level_set(make: Edit, **settings: Any) -> Edit:
    """What `make` makes, with the level set by the config's own settings but for those given."""

    def edit(config: AHRNetConfig) -> AHRNetConfig:
        rls = switched_on(config.rls, **{"region": "lesion", **settings})
        return replace(make(config), rls=rls)

    return edit


_AHRNET = hrnet("DE", "DA", "SA")
VARIANTS: Mapping[str, Edit] = {
    "nnunet": nnunet,
    "nnunet+RLS": level_set(nnunet),
    "HRNet": hrnet(),
    "HRNet+RLS": level_set(hrnet()),
    "HRNet+DE": hrnet("DE"),
    "HRNet+DE+DA": hrnet("DE", "DA"),
    AHRNET: _AHRNET,
    f"{AHRNET}+LS": level_set(_AHRNET, region="view"),
    f"{AHRNET}+RLS": level_set(_AHRNET),
    f"{AHRNET}+RLS-shuffled": level_set(_AHRNET, shuffled=True),
    f"{AHRNET}+RLS-even": level_set(_AHRNET, **EVEN),
    f"{AHRNET}+RLS-even-shuffled": level_set(_AHRNET, **EVEN, shuffled=True),
}


def method(config: AHRNetConfig) -> str:
    """How Table 1 calls a config, or Table 2 where Table 1 has none such."""
    if config.network == "nnunet":
        name = "nnUNet"
    else:
        parts = [part for part, name in SWITCHES.items() if getattr(config.model, name)]
        name = "AHRNet" if len(parts) == len(SWITCHES) else "+".join(("HRNet", *parts))
    if not config.rls.factor:
        return name
    name += "+RLS" if config.rls.region == "lesion" else "+LS"
    name += ", even" if is_even(config.rls) else ""
    return name + (", shuffled" if config.rls.shuffled else "")
