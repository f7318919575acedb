"""Lesions that are nothing but their marks, for the prompts' tests."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from lesions.lesion import Lesion
from lesions.readers.png import encode_slice
from lesions.recist import Recist

HEIGHT, WIDTH = 60, 80
SHAPE = (HEIGHT, WIDTH)
EMPTY = encode_slice(np.zeros(SHAPE, np.int16))
ENDS = ((20, 30), (50, 34), (36, 20), (33, 45))


def lesion(recist: Recist | None = None, **fields: Any) -> Lesion:
    """A lesion on a slice of 80 × 60 zeros."""
    given: dict[str, Any] = {"file": "900001_01_01_001.png", "row": 1, **fields}
    return Lesion(
        **given, recist=recist or Recist(ENDS), spacing=(0.8, 0.8, 2.0), window=(-100.0, 100.0),
        shape=SHAPE, encoded=EMPTY,
    )  # fmt: skip


# Marks anywhere on the slice, crossing or not, in any order; thirds of a pixel round.
_places = st.tuples(
    st.integers(0, 3 * (WIDTH - 1)).map(lambda n: n / 3),
    st.integers(0, 3 * (HEIGHT - 1)).map(lambda n: n / 3),
)
_ends = st.lists(_places, min_size=4, max_size=4).filter(lambda p: p[0] != p[1] and p[2] != p[3])
recists = _ends.map(Recist)
lesions = st.builds(
    lesion, recists, file=st.text("0123456789_", min_size=1), row=st.integers(1, 99)
)
