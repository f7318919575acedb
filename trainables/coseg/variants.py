"""The rows of Table 1, and some of ours, by name; each edits any config."""

from collections.abc import Callable, Mapping
from typing import Any

from trainables.configs import edited
from trainables.coseg.config import CoSegConfig

Edit = Callable[[CoSegConfig], CoSegConfig]
ENCODERS = {"vgg": "VGG-16", "resnet": "ResNet-101", "drn": "DRN-101"}
BASELINE = "FCN-16"
CSA, LEARNED, FUSED, GROUP = "+CSA", "+learned-map", "+fused", ", group"


def row(which: str, **changes: Any) -> Edit:
    """A row with this encoder and channel attention alone, but for the fields that are given.

    A double underscore stands for the dot of a field's name.
    """
    fields = {
        "model.network": "coseg", "model.encoder.which": which, "model.attention": "channel",
        "model.gate": "swapped", "model.spatial": "none",
        "pairs.by": "cluster", "neighbours.form": "pairs",
    } | {name.replace("__", "."): value for name, value in changes.items()}  # fmt: skip
    return lambda config: edited(config, fields)


VARIANTS: Mapping[str, Edit] = {
    BASELINE: row("vgg", model__network="fcn", pairs__by="random"),
    "VGG-16-unclustered": row("vgg", pairs__by="random"),
    **{
        name + ending: row(which, model__spatial=spatial)
        for which, name in ENCODERS.items()
        for ending, spatial in (("", "none"), (CSA, "mean"))
    },
    "VGG-16+learned-map": row("vgg", model__spatial="learned"),
    "VGG-16+fused": row("vgg", model__gate="fused"),
    "VGG-16-alone": row("vgg", model__attention="none"),
    "VGG-16-group": row("vgg", neighbours__form="group"),
    "DRN-101+CSA-group": row("drn", model__spatial="mean", neighbours__form="group"),
}


def method(config: CoSegConfig) -> str:
    """How Table 1 calls a config, or its closest words."""
    model = config.model
    if model.network == "fcn":
        return BASELINE
    name = ENCODERS[model.encoder.which]
    if model.attention == "none":
        return f"{name}, alone"
    name += {"none": "", "mean": CSA, "learned": LEARNED}[model.spatial]
    name += FUSED if model.gate == "fused" else ""
    name += " without clustering" if config.pairs.by == "random" else ""
    return name + (GROUP if config.neighbours.form == "group" else "")
