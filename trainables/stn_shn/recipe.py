"""How it is trained: the STN in two phases, the SHN alone, then both (section 2.3)."""

from trainables.recipe import Objective, Phase, Recipe
from trainables.stn_shn.config import STNSHNConfig
from trainables.stn_shn.model import SHN, STN
from trainables.training import optimizer_of, schedule_of

REGION, LAYOUT, ENDPOINTS, JOINTLY = "region", "layout", "endpoints", "jointly"


def recipe(config: STNSHNConfig) -> Recipe:
    """The phases that the config's networks and losses need, each to its plateau."""
    loss = config.loss
    lrp, cosine = float(loss.region), loss.cosine
    endpoints = {"heatmap_loss": 1.0, "cosine_loss": cosine}
    phases = []
    if config.stn and loss.region:
        weights = {"region_loss": loss.first_region, "layout_loss": 1.0}
        phases.append(_phase(config, REGION, weights, (STN,)))
    if config.stn:
        weights = {"region_loss": lrp, "layout_loss": loss.then_layout}
        phases.append(_phase(config, LAYOUT, weights, (STN,)))
    phases.append(_phase(config, ENDPOINTS, endpoints, (SHN,)))
    if config.stn:
        weights = {"region_loss": lrp, "layout_loss": 1.0, **endpoints}
        phases.append(_phase(config, JOINTLY, weights, (STN, SHN)))
    return phases


def _phase(
    config: STNSHNConfig, name: str, weights: dict[str, float], learns: tuple[str, ...]
) -> Phase:
    objective = Objective(
        name=name, weights=weights, learns=learns, optimizer=optimizer_of(config.training)
    )
    return Phase(
        epochs=config.training.epochs, objectives=(objective,), name=name, begins="last",
        schedule=schedule_of(config.training), watches="loss",
        answers=SHN in learns,  # the STN alone says no endpoints
    )  # fmt: skip
