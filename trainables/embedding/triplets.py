"""Which lesions are alike by their cues, and which are not; triplets of both.

Yan et al. leave the rules open. Ours:

* alike: of different patients (one patient's follow-ups would teach the scan), of no two known
  types, near in place, and near in both diameters;
* unlike: of two known types, or far in place, or far in a diameter;
* what lies between is neither.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions import InputError
from trainables.configs import check_range
from trainables.embedding.cues import UNKNOWN, Cues


@dataclass(frozen=True, kw_only=True)
class LikenessConfig:
    """How near is near.

    Attributes:
        place: lesions this far apart at most are near in place, as a fraction of the body's box.
        size: those whose diameters differ by this factor at most are near in size.
        far: lesions this many times farther apart are far.
    """

    place: float = 0.15
    size: float = 1.5
    far: float = 2.0

    def __post_init__(self) -> None:
        """InputError for what cannot be meant."""
        check_range("likeness.place", self.place, 0.001, 10)
        check_range("likeness.size", self.size, 1.001, 100)
        check_range("likeness.far", self.far, 1, 100)


class Triplets:
    """Triplets of an anchor, a lesion like it and one unlike it.

    Args:
        cues: of all lesions that may be drawn.
        config: how near is near.

    Raises:
        InputError: no triplet can be drawn.
    """

    def __init__(self, cues: Cues, config: LikenessConfig) -> None:
        self.cues, self.config = cues, config
        if not any(self._has_both(anchor) for anchor in range(len(cues))):
            raise InputError(
                f"no lesion of {len(cues)} has both one of another patient that is like it and "
                "one that is unlike it: an embedder has nothing to learn from",
                remedy="take a set of more patients, or embed with a registered model's encoder: "
                "python -m platform.embed --model NAME@champion",
            )

    def alike(self, anchor: int) -> NDArray[np.bool_]:
        """Which lesions (N,) are like this one."""
        near = (self._distances(anchor) <= 1).all(axis=1)
        return near & ~self._other_type(anchor) & self._of_others(anchor)

    def unlike(self, anchor: int) -> NDArray[np.bool_]:
        """Which lesions (N,) are unlike this one."""
        far = (self._distances(anchor) > self.config.far).any(axis=1)
        return np.asarray(far | self._other_type(anchor))

    def draw(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """An epoch's triplets (T, 3), a function of seed and epoch alone.

        Each lesion that has lesions of both kinds is anchor once, in any order.
        """
        rng = np.random.default_rng([seed, epoch])
        found = []
        for anchor in rng.permutation(len(self.cues)).tolist():
            alike, unlike = np.flatnonzero(self.alike(anchor)), np.flatnonzero(self.unlike(anchor))
            if len(alike) and len(unlike):
                found.append((anchor, rng.choice(alike), rng.choice(unlike)))
        return np.array(found, np.int64).reshape(-1, 3)

    def _has_both(self, anchor: int) -> bool:
        return bool(self.alike(anchor).any() and self.unlike(anchor).any())

    def _distances(self, anchor: int) -> NDArray[np.float64]:
        """(N, 2) of place and size; 1 is the last that is near."""
        place = np.linalg.norm(self.cues.places - self.cues.places[anchor], axis=1)
        size = np.abs(self.cues.sizes - self.cues.sizes[anchor]).max(axis=1)
        return np.stack([place / self.config.place, size / np.log(self.config.size)], axis=1)

    def _other_type(self, anchor: int) -> NDArray[np.bool_]:
        """Whose type is known to be another."""
        own, types = self.cues.types[anchor], self.cues.types
        return np.asarray((types != own) & (types != UNKNOWN) & (own != UNKNOWN))

    def _of_others(self, anchor: int) -> NDArray[np.bool_]:
        return np.asarray(self.cues.patients != self.cues.patients[anchor])
