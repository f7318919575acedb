"""The map: near lesions stay near, and the seed alone decides."""

import numpy as np

from trainables.embedding.flat import on_a_plane


def test_two_heaps_stay_two() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 16)) * 0.02 + np.repeat(np.eye(2, 16), 20, axis=0)
    flat = on_a_plane(vectors.astype(np.float32), seed=1)
    assert flat.shape == (40, 2)
    assert (flat.min(), flat.max()) == (0, 1)
    first, second = flat[:20].mean(axis=0), flat[20:].mean(axis=0)
    to_first, to_second = (np.linalg.norm(flat - one, axis=1) for one in (first, second))
    assert (to_first[:20] < to_second[:20]).all()
    assert (to_second[20:] < to_first[20:]).all()
    assert flat.tobytes() == on_a_plane(vectors.astype(np.float32), seed=1).tobytes()


def test_a_few_have_no_map() -> None:
    assert on_a_plane(np.eye(4, dtype=np.float32), seed=0).shape == (0, 2)
    assert on_a_plane(np.eye(5, dtype=np.float32), seed=0).shape == (5, 2)
