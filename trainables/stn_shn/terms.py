"""The losses of each phase."""

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from trainables.recipe import Objective
from trainables.stn_shn.config import STNSHNConfig
from trainables.stn_shn.hourglass import STRIDE
from trainables.stn_shn.layout import level, matrices, named, to_view, view_of
from trainables.stn_shn.loss import cosine_loss, heatmap_loss, layout_loss, region_loss
from trainables.stn_shn.model import STNSHN
from trainables.stn_shn.recipe import ENDPOINTS, JOINTLY
from trainables.system import Batch


def terms(
    config: STNSHNConfig, model: nn.Module, batch: Batch, objective: Objective
) -> Mapping[str, Tensor]:
    """Of the STN alone, of the SHN alone on views near the true one, or of both together.

    Args:
        config: the system's.
        model: an `STNSHN`.
        batch: of `samples.training_sample`.
        objective: of a phase of `recipe`.
    """
    network = cast("STNSHN", model)
    if objective.name == ENDPOINTS:
        thetas = _views(config, batch)
        maps = network.shn(view_of(batch["crop"], thetas))
        return _of_endpoints(config, maps, thetas, batch, objective)
    if objective.name == JOINTLY:
        found = network(batch["crop"])
        return {
            **_of_layout(found.mask, found.layout, batch, objective),
            # Targets in the view that was taken: with Θ attached, zooming out would be rewarded.
            **_of_endpoints(config, found.heatmaps, found.thetas.detach(), batch, objective),
        }
    assert network.stn is not None
    mask, layout = network.stn(batch["crop"])
    return _of_layout(mask, layout, batch, objective)


def _views(config: STNSHNConfig, batch: Batch) -> Tensor:
    """Θ (N, 2, 3) of what the SHN alone sees: near the true layout, or the crop as it is."""
    if config.stn:
        return matrices(batch["near"])
    return level().to(batch["crop"].device).expand(len(batch["crop"]), 2, 3)


def _of_layout(
    mask: Tensor, layout: Tensor, batch: Batch, objective: Objective
) -> dict[str, Tensor]:
    found = {"layout_loss": layout_loss(layout, batch["layout"])}
    if objective.weights["region_loss"]:
        found["region_loss"] = region_loss(mask, batch["labels"])
    return found


def _of_endpoints(
    config: STNSHNConfig, maps: list[Tensor], thetas: Tensor, batch: Batch, objective: Objective
) -> dict[str, Tensor]:
    """Losses of heat maps, against the endpoints as they are called in their view."""
    seen = named(to_view(batch["endpoints"], thetas, config.samples.size))
    in_maps = (seen - (STRIDE - 1) / 2) / STRIDE
    found = {"heatmap_loss": heatmap_loss(maps, in_maps, config.sigma)}
    if objective.weights["cosine_loss"]:
        found["cosine_loss"] = cosine_loss(maps)
    return found
