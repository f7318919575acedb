"""What a model was trained on, by digests: lesions that it has seen are told from new ones.

A patient is known by the name that the prepared set has, a slice by its HU, whatever its name. A
digest hides no name from whoever can guess it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.prepared import PreparedSet

LETTERS = 16  # of a digest, hexadecimal
PATIENT, PIXELS, BOTH, NEITHER, UNKNOWN = (
    "patient", "pixels", "patient and pixels", "no", "not known",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was trained on.

    Attributes:
        fingerprint: the prepared set's.
        patients, slices: digests of the training lesions'.
    """

    fingerprint: str
    patients: frozenset[str]
    slices: frozenset[str]

    def said(self) -> dict[str, str]:
        """As JSON; digests stand one after another, sorted."""
        return {
            "fingerprint": self.fingerprint,
            "patients": "".join(sorted(self.patients)),
            "slices": "".join(sorted(self.slices)),
        }

    @classmethod
    def read(cls, found: Any) -> "Seen":
        """What `said` has written; InputError for anything else."""
        names = ("fingerprint", "patients", "slices")
        whole = isinstance(found, Mapping) and found.keys() == set(names)
        if not whole or not all(isinstance(found[name], str) for name in names):
            raise InputError("does not say what was trained on in the form that it should")
        patients, slices = (
            frozenset(text[at : at + LETTERS] for at in range(0, len(text), LETTERS))
            for text in (found["patients"], found["slices"])
        )
        return cls(fingerprint=found["fingerprint"], patients=patients, slices=slices)

    def has(self, patient: str, pixels: str) -> str:
        """Whether a lesion was trained on, and by what that is known.

        Args:
            patient: its name; "" is nobody's.
            pixels: the slice's digest.
        """
        by_patient = bool(patient) and patient_digest(patient) in self.patients
        if pixels in self.slices:
            return BOTH if by_patient else PIXELS
        return PATIENT if by_patient else NEITHER


@lru_cache(maxsize=4)
def seen_in(root: Path, fingerprint: str) -> Seen:
    """What training on a prepared set sees; each of its training slices is read once.

    Args:
        root: the set's folder.
        fingerprint: the set's.
    """
    lesions = PreparedSet(root, "train")
    named = {row["patient"] for row in lesions.rows} - {""}
    return Seen(
        fingerprint=fingerprint,
        patients=frozenset(map(patient_digest, named)),
        slices=frozenset(slice_digest(lesion.slice_hu) for lesion in lesions),
    )


def patient_digest(name: str) -> str:
    """Of a patient's name."""
    return hashlib.sha256(b"patient " + name.encode("utf-8", "replace")).hexdigest()[:LETTERS]


def slice_digest(hu: NDArray[np.int16]) -> str:
    """Of a slice's HU (H, W), and of nothing else."""
    digest = hashlib.sha256(f"slice {hu.shape} ".encode())
    digest.update(np.ascontiguousarray(hu, "<i2").tobytes())
    return digest.hexdigest()[:LETTERS]


def together(parts: Sequence[Seen | None]) -> Seen | None:
    """What a model has seen that takes over others; None where one of them does not say."""
    known = [seen for seen in parts if seen is not None]
    if len(known) < len(parts):
        return None
    return Seen(
        fingerprint=" ".join(dict.fromkeys(seen.fingerprint for seen in known)),
        patients=frozenset().union(*(seen.patients for seen in known)),
        slices=frozenset().union(*(seen.slices for seen in known)),
    )


def of_all(found: Sequence[str]) -> str:
    """One word of what several parts say of a lesion: one that has seen it outweighs the rest."""
    return next((word for word in (BOTH, PIXELS, PATIENT, UNKNOWN) if word in found), NEITHER)


def trained_on(parts: Sequence[Seen | None], patient: str, pixels: str) -> str:
    """Whether one of several parts has seen a lesion; None is a part that does not say.

    Args:
        parts: what each was trained on.
        patient, pixels: the lesion's, as of `Seen.has`.
    """
    return of_all([UNKNOWN if seen is None else seen.has(patient, pixels) for seen in parts])
