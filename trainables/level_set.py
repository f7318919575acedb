"""The regional level set loss (AHRNet, section 2.2), for any system that predicts a mask.

A system that wants it has a field `rls: LevelSetConfig` in its config, and asks three functions:
`level_set_sample` in its `sample`, `level_set_term` in its `terms`, `joined` in its `recipe`. The
method may be covered by a patent: US 11,900,596 B2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesions import InputError, Lesion, Recist
from lesions.ellipse import ellipse
from trainables.configs import check_range
from trainables.crops import Crop
from trainables.losses import full_size
from trainables.recipe import Objective, Phase, Recipe, Schedule
from trainables.system import Batch, Sample

TERM = "rls_loss"
IMAGE, REGION = "rls_image", "rls_region"
FACTOR = 0.1  # the paper's
# Ours: no side is favoured, so outlines go where the image says; and it is strong enough to.
EVEN = {"inside": 1.0, "outside": 1.0, "factor": 1.0}
LEAST_AREA = 1e-5  # pixels: where nothing is inside, or nothing outside
LEAST_DEVIATION = 0.02  # of the window: noise of an even region is not blown up


@dataclass(frozen=True, kw_only=True)
class LevelSetConfig:
    """The regional level set loss; off by default.

    Attributes:
        factor: its weight beside the mask's other losses, up to 1000; 0 = off, the paper's is 0.1.
        inside: λ1, weight of the squared differences of what is predicted lesion, up to 1000.
        outside: λ2, of what is not; above λ1 it makes outlines grow, whatever the image says.
        region: where it looks: about the "lesion" (RLS), or at the whole "view" (the paper's LS).
        region_area: area of the lesion's region, in areas of the RECIST's ellipse, 100 at most.
        intensities: "deviation" divides the windowed ones by their standard deviation in the
            region, without which the loss is next to nothing; "window" leaves them in 0…1.
        means: the two mean intensities are weighted by the probabilities ("soft"), or are those of
            the pixels on either side of ½ ("hard").
        shuffled: a control: every pixel of the region has the intensity of another one. What
            helps as much with it does not come from the image.
        joins: when it joins, as a fraction of a round's epochs; 0 = from the start.
        joins_by: at that "epoch"; or at the first "plateau" of the validation figure, as
            `training.patience` and `training.gain` define it, if that comes earlier.
    """

    factor: float = 0.0
    inside: float = 1.0
    outside: float = 3.0
    region: Literal["lesion", "view"] = "lesion"
    region_area: float = 4.0
    intensities: Literal["deviation", "window"] = "deviation"
    means: Literal["soft", "hard"] = "soft"
    shuffled: bool = False
    joins: float = 0.5
    joins_by: Literal["epoch", "plateau"] = "epoch"

    def __post_init__(self) -> None:
        """InputError for what no loss can be."""
        for name in ("factor", "inside", "outside"):
            check_range(f"rls.{name}", getattr(self, name), 0, 1000)
        check_range("rls.region_area", self.region_area, 0.01, 100)
        check_range("rls.joins", self.joins, 0, 1)
        if self.joins == 1 and self.factor:
            raise InputError("rls.joins is 1: it would never join", remedy="say less than 1")


def switched_on(config: LevelSetConfig, **settings: Any) -> LevelSetConfig:
    """The config with these settings, its own factor, or the paper's where it is off."""
    return replace(config, **{"factor": config.factor or FACTOR, **settings})


def is_even(config: LevelSetConfig) -> bool:
    """Whether both sides weigh the same."""
    return config.inside == config.outside


def level_set_sample(
    config: LevelSetConfig,
    lesion: Lesion,
    crop: Crop,
    image: NDArray[np.float32],
    rng: np.random.Generator,
) -> Sample:
    """What the loss needs of a training sample; nothing where it is off.

    Args:
        config: of the loss.
        lesion: seen through `crop`.
        crop: moves the region as it moves image, mask and endpoints.
        image: (S, S), 0…1, what the network sees of the slice.
        rng: shuffles, where that is asked for; untouched otherwise.

    Returns:
        `rls_image` float32 (1, S, S) and `rls_region` uint8 (1, S, S): the pixels that are visible,
        those outside the slice left out.
    """
    if not config.factor:
        return {}
    region = crop.labels(np.ones(lesion.shape, np.uint8))
    if config.region == "lesion":
        # In the view: a slice has many times its pixels.
        seen = Recist(crop.points(lesion.recist.points))
        region &= ellipse(seen, region.shape, scale=config.region_area)
    if config.shuffled:
        image, chosen = image.copy(), region == 1
        image[chosen] = rng.permutation(image[chosen])
    return {IMAGE: torch.from_numpy(image[None]), REGION: torch.from_numpy(region[None])}


def level_set_term(
    config: LevelSetConfig, output: Tensor, batch: Batch, objective: Objective
) -> Mapping[str, Tensor]:
    """The loss of an output, logits (N, 1, h, w), as a term; none where it does not count."""
    if not config.factor or not objective.weights.get(TERM, 1.0):
        return {}
    probability = torch.sigmoid(full_size(output, batch[IMAGE]))
    return {TERM: level_set_energy(config, probability, batch)}


def level_set_energy(config: LevelSetConfig, probability: Tensor, batch: Batch) -> Tensor:
    """The loss of probabilities (N, 1, S, S), as the settings have it; a scalar ≥ 0."""
    image, region = batch[IMAGE].float(), batch[REGION] == 1
    if config.intensities == "deviation":
        image = image / deviation(image, region).clamp(min=LEAST_DEVIATION)
    return level_set(
        probability, image, region,
        inside=config.inside, outside=config.outside, hard=config.means == "hard",
    )  # fmt: skip


def level_set(
    probability: Tensor,
    image: Tensor,
    region: Tensor,
    *,
    inside: float = 1.0,
    outside: float = 3.0,
    hard: bool = False,
) -> Tensor:
    """Equation 2, in float32: how uneven the intensities are on either side, within a region.

    The two means have no gradient: it would be nothing, as they minimise the energy.

    Args:
        probability: (N, 1, H, W).
        image: intensities, likewise.
        region: bool, likewise: the pixels that count, those of uncertain labels among them.
        inside: λ1.
        outside: λ2.
        hard: the means are those of p ≥ ½ and p < ½.

    Returns:
        The mean over the samples, a scalar ≥ 0; a sample without a region costs nothing.
    """
    p, image, weight = probability.float(), image.float(), region.float()
    given = (p.detach() >= 0.5).float() if hard else p.detach()
    from_inside = (image - _mean(image, given * weight)).square()
    from_outside = (image - _mean(image, (1 - given) * weight)).square()
    energy = inside * p * from_inside + outside * (1 - p) * from_outside
    pixels = weight.sum(dim=(1, 2, 3)).clamp(min=1.0)
    return ((energy * weight).sum(dim=(1, 2, 3)) / pixels).mean()


def deviation(image: Tensor, region: Tensor) -> Tensor:
    """Standard deviation (N, 1, 1, 1) of the intensities (N, 1, H, W) in a region, bool."""
    weight = region.float()
    return _mean((image - _mean(image, weight)).square(), weight).sqrt()


def _mean(image: Tensor, weight: Tensor) -> Tensor:
    total = weight.sum(dim=(1, 2, 3), keepdim=True).clamp(min=LEAST_AREA)
    return (image * weight).sum(dim=(1, 2, 3), keepdim=True) / total


def joined(
    config: LevelSetConfig, recipe: Recipe, stable: Schedule | None = None, share: float = 1.0
) -> Recipe:
    """A recipe in which the loss joins late in every round ("until the model converges").

    Each phase becomes two, of one course of learning rates and one optimiser's state; the best
    epoch is then one of the second.

    Args:
        config: of the loss; where it is off the recipe stays.
        recipe: without it.
        stable: what a plateau is, for `joins_by="plateau"`.
        share: what the system's other losses of masks weigh.
    """
    if not config.factor:
        return recipe
    weight = config.factor * share
    return [
        part for phase in recipe for part in _in_two(config, phase, weight, stable or Schedule())
    ]


def _in_two(config: LevelSetConfig, phase: Phase, weight: float, stable: Schedule) -> list[Phase]:
    late = replace(phase, objectives=_weighed(phase, weight))
    if not config.joins or phase.epochs == 1:
        return [late]
    first = min(max(round(config.joins * phase.epochs), 1), phase.epochs - 1)
    course = replace(phase.schedule, of=phase.epochs)
    alone = replace(stable, kind="plateau", drops=0) if config.joins_by == "plateau" else course
    early = replace(phase, epochs=first, objectives=_weighed(phase, 0.0), schedule=alone)
    name = f"{phase.name} with the level set".strip()
    return [
        early,
        replace(
            late, name=name, epochs=phase.epochs - first, schedule=replace(course, first=first),
            begins="last", goes_on=True, relabels=False, takes=(),
        ),
    ]  # fmt: skip


def _weighed(phase: Phase, weight: float) -> tuple[Objective, ...]:
    return tuple(
        replace(objective, weights={**objective.weights, TERM: weight})
        for objective in phase.objectives
    )
