"""After each epoch: what the network keeps of its training lesions, to compare new ones with."""

from collections.abc import Sequence

import numpy as np
import torch

from lesions import InputError, Lesion
from lesions.prompts import Case
from lesions.prompts.box import Box
from trainables.coseg.config import CoSegConfig
from trainables.coseg.model import CoSeg
from trainables.coseg.samples import image_of
from trainables.embedding.views import embed

AT_ONCE = 32


@torch.inference_mode()
def remember(
    config: CoSegConfig, model: CoSeg, lesions: Sequence[Lesion], device: torch.device
) -> None:
    """Fill the network's memory with training lesions, evenly chosen where there are too many.

    Each is seen as it would be if it were asked for by its own box.
    """
    training = model.training
    model.eval()
    vectors, gates = list[torch.Tensor](), list[torch.Tensor]()
    places = model.memory.places(len(lesions))
    for start in range(0, len(places), AT_ONCE):
        some = [lesions[at] for at in places[start : start + AT_ONCE]]
        cases = [boxed(lesion) for lesion in some]
        images = torch.from_numpy(np.stack([image_of(config, case) for case in cases])).to(device)
        gates.append(model.network.gates(model.network.encoder(images)))
        vectors.append(_vectors(model, some, cases, device))
    model.memory.keep(torch.cat(vectors), torch.cat(gates))
    model.train(training)


def boxed(lesion: Lesion) -> Case:
    """A lesion in the box of its own marks."""
    x0, y0, x1, y1 = lesion.recist.bounds
    box = Box.from_points([(x0, y0), (x1, y1)])
    return Case(slice_hu=lesion.slice_hu, window=lesion.window, spacing=lesion.spacing, prompt=box)


def _vectors(
    model: CoSeg, lesions: Sequence[Lesion], cases: Sequence[Case], device: torch.device
) -> torch.Tensor:
    """Their embeddings (N, dimension): those of their set, else made now."""
    if model.embedder is None:
        return torch.empty(len(lesions), 0, device=device)
    known = [lesion.embedding for lesion in lesions if lesion.embedding is not None]
    if len(known) < len(lesions):
        return torch.from_numpy(embed(model.embedder, cases, device)).to(device)
    found, dimension = np.stack(known), model.embedder.config.dimension
    if found.shape[1] != dimension:
        raise InputError(
            f"the lesions' embeddings have {found.shape[1]} numbers, and the embedder makes "
            f"{dimension}",
            remedy="make both anew with python -m platform.embed --data SET",
        )
    return torch.from_numpy(found).to(device)
