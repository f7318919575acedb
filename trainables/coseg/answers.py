"""From boxes to masks: each lesion beside the training lesions that look like it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions.prompts import Case
from lesions.prompts.box import Box
from trainables.coseg.config import CoSegConfig
from trainables.coseg.model import Alone, CoSeg
from trainables.coseg.refined import refined
from trainables.coseg.samples import image_of, view
from trainables.embedding.views import embed
from trainables.mirrors import FLIPS, flipped, sum_of
from trainables.system import Attended, How, Prediction, Trained
from trainables.together import together

NOBODY = "no training lesions are kept: it was segmented beside itself"


def answers(trained: Trained, cases: Iterable[Case], how: How) -> Iterator[Prediction]:
    """The mask of each case in its slice's pixels, in order."""
    config: CoSegConfig = trained.config
    for some in together(cases):
        images = np.stack([image_of(config, case) for case in some])
        partners = _partners(trained, some, how)
        probabilities = _probabilities(trained, images, partners, how)
        weighed = attended(trained.model, images, partners, how)
        for case, image, found, seen in zip(some, images, probabilities, weighed, strict=True):
            yield _prediction(trained, case, image[0], found, seen)


def _prediction(
    trained: Trained,
    case: Case,
    image: NDArray[np.float32],
    probability: NDArray[np.float32],
    seen: Attended | None,
) -> Prediction:
    config: CoSegConfig = trained.config
    assert isinstance(case.prompt, Box)
    crop = view(config, case.prompt)
    in_slice = crop.back(refined(config.crf, probability, image), case.shape)
    mask = (in_slice >= 0.5).astype(np.uint8)
    found = bool(mask.any())
    return Prediction(
        mask=mask,
        probability=in_slice,
        square=(crop.centre, crop.side),
        found=found,
        doubt="; ".join(_doubts(trained.model, found, probability)),
        attended=seen,
    )


def _doubts(model: nn.Module, found: bool, probability: NDArray[np.float32]) -> Iterator[str]:
    if isinstance(model, CoSeg) and not model.memory.held:
        yield NOBODY
    if not found and (probability >= 0.5).any():
        yield "the CRF erased all that the network found"
    elif not found:
        yield "no pixel in the box is more likely lesion than not"


@torch.inference_mode()
def _probabilities(
    trained: Trained, images: NDArray[np.float32], partners: Tensor | None, how: How
) -> NDArray[np.float32]:
    """(N, S, S) of lesion; with `tta` the mean over the four mirrored views."""
    batch = torch.from_numpy(images).to(how.device, memory_format=torch.channels_last)
    flips = FLIPS if how.tta else FLIPS[:1]
    with torch.autocast(how.device.type, dtype=how.precision, enabled=how.precision is not None):
        views = [
            flipped(_lesion(trained, flipped(batch, *flip), partners), *flip) for flip in flips
        ]
    mean = sum_of(views) / len(flips)
    return mean[:, 0].cpu().numpy()


@torch.inference_mode()
def _partners(trained: Trained, cases: Sequence[Case], how: How) -> Tensor | None:
    """The gates (N, k, channels) of each case's partners; None where there are none."""
    config, model = cast("CoSegConfig", trained.config), trained.model
    if not isinstance(model, CoSeg) or not model.memory.held:
        return None
    count = config.neighbours.count
    if model.embedder is None:
        return model.memory.evenly(count).expand(len(cases), -1, -1)
    vectors = torch.from_numpy(embed(model.embedder, cases, how.device))
    return model.memory.nearest(vectors.to(how.device), count)


def _lesion(trained: Trained, images: Tensor, partners: Tensor | None) -> Tensor:
    """(N, 1, S, S): the probability of lesion, for `images` (N, 1, S, S) and their partners."""
    model = trained.model
    if isinstance(model, Alone):
        return of_lesion(model.network(images))
    network = cast("CoSeg", model).network
    features = network.encoder(images)
    if partners is None:
        return of_lesion(network.masks(features, network.gates(features)))
    partners = partners.to(features.dtype)
    if trained.config.neighbours.form == "group":
        partners = partners.mean(dim=1, keepdim=True)
    each = [of_lesion(network.masks(features, gates)) for gates in partners.unbind(dim=1)]
    return sum_of(each) / len(each)


def of_lesion(logits: Tensor) -> Tensor:
    """(N, 1, H, W): the second channel's probability, of logits (N, 2, H, W)."""
    return logits.float().softmax(dim=1)[:, 1:]


@torch.inference_mode()
def attended(
    model: nn.Module, images: NDArray[np.float32], partners: Tensor | None, how: How
) -> list[Attended | None]:
    """What was weighed of each view (N, 1, S, S); None without attention, or without partners."""
    if not isinstance(model, CoSeg) or model.network.attention is None or partners is None:
        return [None] * len(images)
    attention = model.network.attention
    features = model.network.encoder(torch.from_numpy(images).to(how.device))
    own, theirs = attention.gate(features).cpu().numpy(), partners.mean(dim=1).cpu().numpy()
    if attention.spatial is None:
        maps: Sequence[NDArray[np.float32] | None] = [None] * len(images)
    else:
        maps = list(attention.spatial(features)[:, 0].cpu().numpy())
    return [
        Attended(own=one, partners=other, where=where)
        for one, other, where in zip(own, theirs, maps, strict=True)
    ]
