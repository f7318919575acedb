"""Vectors on a plane: t-SNE (van der Maaten & Hinton 2008), for eyes alone."""

import numpy as np
from numpy.typing import NDArray

_LEAST, _PERPLEXITY = 5, 30.0


def on_a_plane(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """The places (N, 2) of vectors (N, D), within 0…1; of fewer than five there are none, (0, 2).

    Those that are near stay near; what is far on the plane need not be far.
    """
    if len(vectors) < _LEAST:
        return np.empty((0, 2))
    from sklearn.manifold import TSNE  # takes a second to import
    from threadpoolctl import threadpool_limits

    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    with threadpool_limits(1):
        flat = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return np.asarray((flat - low) / np.maximum(high - low, 1e-9), np.float64)
