"""From boxes to masks: each lesion beside the training lesions that look like it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesions.prompts import Case
from lesions.prompts.box import Box
from trainables.coseg.config import CoSegConfig
from trainables.coseg.model import Alone, CoSeg
from trainables.coseg.refined import refined
from trainables.coseg.samples import image_of, view
from trainables.embedding.views import embed
from trainables.masked import mask_in
from trainables.mirrors import FLIPS, flipped, sum_of
from trainables.system import Attended, How, Prediction, Trained
from trainables.together import together

ERASED = "the CRF erased all that the network found"
NOBODY = "no training lesions are kept: it was segmented beside itself"


def answers(trained: Trained, cases: Iterable[Case], how: How) -> Iterator[Prediction]:
    """The mask of each case in its slice's pixels, in order."""
    config: CoSegConfig = trained.config
    for some in together(cases):
        images = np.stack([image_of(config, case) for case in some])
        probabilities, weighed = _seen(trained, images, _partners(trained, some, how), how)
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
    answer = refined(config.crf, probability, image)
    found = mask_in(view(config, case.prompt), answer, case.shape)
    doubt = found.doubt if found.found or not (probability >= 0.5).any() else ERASED
    alone = isinstance(trained.model, CoSeg) and not trained.model.memory.held
    doubts = [NOBODY if alone else "", doubt]
    return replace(found, doubt="; ".join(filter(None, doubts)), attended=seen)


@torch.inference_mode()
def _seen(
    trained: Trained, images: NDArray[np.float32], partners: Tensor | None, how: How
) -> tuple[NDArray[np.float32], list[Attended | None]]:
    """(N, S, S) of lesion, with `tta` the mean over the four mirrored views; what was weighed."""
    batch = torch.from_numpy(images).to(how.device, memory_format=torch.channels_last)
    weighed: list[Attended | None] = [None] * len(images)
    views = list[Tensor]()
    for flip in FLIPS if how.tta else FLIPS[:1]:
        with torch.autocast(
            how.device.type, dtype=how.precision, enabled=how.precision is not None
        ):
            features, lesion = _lesion(trained, flipped(batch, *flip), partners)
        if not views and features is not None and partners is not None:  # the first is not mirrored
            weighed = attended(cast("CoSeg", trained.model), features.float(), partners)
        views.append(flipped(lesion, *flip))
    mean = sum_of(views) / len(views)
    return mean[:, 0].cpu().numpy(), weighed


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


def _lesion(
    trained: Trained, images: Tensor, partners: Tensor | None
) -> tuple[Tensor | None, Tensor]:
    """Features, if they are compared, and the probability of lesion (N, 1, S, S) of `images`."""
    model = trained.model
    if isinstance(model, Alone):
        return None, of_lesion(model.network(images))
    network = cast("CoSeg", model).network
    features = network.encoder(images)
    if partners is None:
        return features, of_lesion(network.masks(features, network.gates(features)))
    partners = partners.to(features.dtype)
    if trained.config.neighbours.form == "group":
        partners = partners.mean(dim=1, keepdim=True)
    each = [of_lesion(network.masks(features, gates)) for gates in partners.unbind(dim=1)]
    return features, sum_of(each) / len(each)


def of_lesion(logits: Tensor) -> Tensor:
    """(N, 1, H, W): the second channel's probability, of logits (N, 2, H, W)."""
    return logits.float().softmax(dim=1)[:, 1:]


def attended(model: CoSeg, features: Tensor, partners: Tensor) -> list[Attended | None]:
    """What was weighed of each view's features; None without attention."""
    attention = model.network.attention
    if attention is None:
        return [None] * len(features)
    own, theirs = attention.gate(features).cpu().numpy(), partners.mean(dim=1).cpu().numpy()
    if attention.spatial is None:
        maps: Sequence[NDArray[np.float32] | None] = [None] * len(features)
    else:
        maps = list(attention.spatial(features)[:, 0].cpu().numpy())
    return [
        Attended(own=one, partners=other, where=where)
        for one, other, where in zip(own, theirs, maps, strict=True)
    ]
