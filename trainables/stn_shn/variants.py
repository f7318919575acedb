"""The rows of Table 1 by name; each edits any config."""

from collections.abc import Callable, Mapping

from trainables.configs import edited
from trainables.stn_shn.config import STNSHNConfig

Edit = Callable[[STNSHNConfig], STNSHNConfig]


def networks(*, stn: bool, region: bool, cosine: bool) -> Edit:
    """With or without the STN, the loss of its region, and the axes' cosine."""

    def edit(config: STNSHNConfig) -> STNSHNConfig:
        weight = (config.loss.cosine or 1.0) if cosine else 0.0
        return edited(config, {"stn": stn, "loss.region": region, "loss.cosine": weight})

    return edit


VARIANTS: Mapping[str, Edit] = {
    "SHN": networks(stn=False, region=False, cosine=False),
    "STN+SHN": networks(stn=True, region=False, cosine=False),
    "STN+SHN+LRP": networks(stn=True, region=True, cosine=False),
    "STN+SHN+LRP+cos": networks(stn=True, region=True, cosine=True),
}
METHODS = {  # as Table 1 tells them apart
    "SHN": "SHN",
    "STN+SHN (TPP; HM)": "STN+SHN",
    "STN+SHN (TPP+LRP; HM)": "STN+SHN+LRP",
    "STN+SHN (TPP+LRP; HM+cos)": "STN+SHN+LRP+cos",
}


def method(config: STNSHNConfig) -> str:
    """How Table 1 calls a config, or by its losses where it has none such."""
    heat = "HM+cos" if config.loss.cosine else "HM"
    if not config.stn:
        return "SHN" if not config.loss.cosine else f"SHN ({heat})"
    return f"STN+SHN (TPP{'+LRP' if config.loss.region else ''}; {heat})"
