"""The rows of Tables 1 and 2, and a control, by name; each edits any config."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from trainables.ahrnet.config import AHRNetConfig
from trainables.configs import edited

SWITCHES = {"DE": "decoder", "DA": "dual_attention", "SA": "scale_attention"}
FACTOR = 0.1  # of the level set, where a config has it switched off
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


def level_set(make: Edit, region: Literal["lesion", "view"] = "lesion") -> Edit:
    """What `make` makes, with the level set of that region, by the config's own settings."""

    def edit(config: AHRNetConfig) -> AHRNetConfig:
        rls = replace(config.rls, factor=config.rls.factor or FACTOR, region=region)
        return replace(make(config), rls=rls)

    return edit


def shuffled(make: Edit) -> Edit:
    """A control: what `make` makes, its level set on intensities that are shuffled."""

    def edit(config: AHRNetConfig) -> AHRNetConfig:
        made = make(config)
        return replace(made, rls=replace(made.rls, shuffled=True))

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
    f"{AHRNET}+LS": level_set(_AHRNET, "view"),
    f"{AHRNET}+RLS": level_set(_AHRNET),
    f"{AHRNET}+RLS-shuffled": shuffled(level_set(_AHRNET)),
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
    return name + (", shuffled" if config.rls.shuffled else "")
