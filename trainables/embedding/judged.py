"""How good an embedder is: triplets that it orders rightly, and the types of near neighbours."""

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import InputError
from trainables.embedding.clusters import nearest
from trainables.embedding.config import EmbeddingConfig
from trainables.embedding.cues import UNKNOWN, Cues
from trainables.embedding.looked import Looked
from trainables.embedding.network import Embedder
from trainables.embedding.triplets import Triplets
from trainables.embedding.views import embed

NEIGHBOURS = 5
_DRAWS = 5  # epochs of triplets


def vectors_of(model: Embedder, looked: Looked, device: torch.device) -> NDArray[np.float32]:
    """The vectors (N, D) of lesions whose patches are at hand."""
    return embed(model, looked.views, device)


def triplet_accuracy(
    vectors: NDArray[np.float32], cues: Cues, config: EmbeddingConfig
) -> float | None:
    """The share of triplets whose like lesion is nearer than the unlike one; None without any."""
    try:
        triplets = Triplets(cues, config.likeness)
    except InputError:
        return None
    drawn = np.concatenate([triplets.draw(config.seed, epoch) for epoch in range(_DRAWS)])
    anchor, alike, unlike = (vectors[drawn[:, at]] for at in range(3))
    nearer = np.linalg.norm(anchor - alike, axis=1) < np.linalg.norm(anchor - unlike, axis=1)
    return float(nearer.mean())


def type_agreement(
    vectors: NDArray[np.float32],
    types: NDArray[np.str_],
    among: NDArray[np.float32],
    among_types: NDArray[np.str_],
) -> tuple[float, float] | None:
    """How many of a lesion's five nearest neighbours are of its type, and how many by chance.

    Args:
        vectors, types: (N, D) and (N,), of the lesions that are asked about.
        among, among_types: likewise, of those where neighbours are sought: of other patients.

    Returns:
        Both as shares, over lesions of a known type, among those of a known type; None without.
    """
    asked, known = types != UNKNOWN, among_types != UNKNOWN
    if not asked.any() or not known.any():
        return None
    vectors, types, among, among_types = (
        vectors[asked], types[asked], among[known], among_types[known]
    )  # fmt: skip
    near = nearest(vectors, among, min(NEIGHBOURS, len(among)))
    found = float((among_types[near] == types[:, None]).mean())
    chance = float(np.mean([(among_types == one).mean() for one in types]))
    return found, chance


def judged(
    before: Embedder, after: Embedder, training: Looked, validation: Looked,
    config: EmbeddingConfig, device: torch.device,
) -> dict[str, float]:  # fmt: skip
    """What training has gained, on validation lesions.

    Returns:
        `triplet_accuracy_before` and `triplet_accuracy`; `type_agreement` and `type_chance`, see
        the functions; those alone that can be known, of a set without validation lesions none.
    """
    figures: dict[str, float] = {}
    for name, model in (("triplet_accuracy_before", before), ("triplet_accuracy", after)):
        vectors = vectors_of(model, validation, device)
        if (share := triplet_accuracy(vectors, validation.cues, config)) is not None:
            figures[name] = share
    among = vectors_of(after, training, device)
    agreed = type_agreement(vectors, validation.cues.types, among, training.cues.types)
    if agreed is not None:
        figures["type_agreement"], figures["type_chance"] = agreed
    return figures
