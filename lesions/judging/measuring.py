"""Pseudo masks measured against human ones, lesion by lesion: what a Ray worker runs."""

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.judging.batches import Batch
from lesions.lesion import Lesion
from lesions.masks import pseudo_mask
from lesions.metrics import UNCERTAIN, segmentation
from lesions.readers.deeplesion import Rejected, Remark
from lesions.readers.png import encode_labels

METRICS = ("recall", "precision", "dice")  # in the order of the WSSS paper's Table 1

Key = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One lesion, and what each pseudo mask of it scores against the human mask.

    Attributes:
        scores: by method: `METRICS`; `uncertain`, the part of the pixels that the mask does not
            call background which are 255 and count nowhere; `ms`, the process time of the mask.
        failed: by method: why there is no mask.
        notes: of its 3D mask, see `OfMask.notes`.
        digest: of its pixels, human mask, endpoints, spacing and window.
    """

    file: str
    row: int
    patient: str
    lesion_type: str
    scores: Mapping[str, Mapping[str, float]]
    failed: Mapping[str, str]
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What tells it from every other lesion of its data set."""
        return self.file, self.row


def measure(batch: Batch, methods: Sequence[str]) -> list[Measured | Rejected | Remark]:
    """Make each method's mask of each lesion, and compare it with the human mask.

    A mask that cannot be made is told in its lesion's `failed`; it ends nothing.
    """
    cv2.setNumThreads(0)  # Ray runs a worker per core already
    return [
        _measured(found, methods) if isinstance(found, Lesion) else found for found in batch.read()
    ]


def with_masks(batch: Batch, keys: Collection[Key], methods: Sequence[str]) -> list[Lesion]:
    """The batch's lesions of these keys, with the mask of every method that can make one."""
    cv2.setNumThreads(0)
    lesions = [found for found in batch.read() if isinstance(found, Lesion)]
    return [_masked(lesion, methods) for lesion in lesions if (lesion.file, lesion.row) in keys]


def _measured(lesion: Lesion, methods: Sequence[str]) -> Measured:
    slice_hu, human = lesion.slice_hu, lesion.mask("human")
    scores, failed = {}, {}
    for method in methods:
        try:
            began = time.process_time()
            mask = pseudo_mask(method, slice_hu, lesion.recist, lesion.window)
            ms = 1000 * (time.process_time() - began)
            found = segmentation(mask, human)
        except Exception as error:  # one mask must not end a batch; its reason says what happened
            failed[method] = f"{type(error).__name__}: {error}"
        else:
            scores[method] = {name: found[name] for name in METRICS}
            scores[method] |= {"uncertain": _uncertain(mask), "ms": ms}
    return Measured(
        file=lesion.file,
        row=lesion.row,
        patient=lesion.patient,
        lesion_type=lesion.lesion_type,
        scores=scores,
        failed=failed,
        digest=_digest(lesion, slice_hu, human),
        notes=() if lesion.of_mask is None else lesion.of_mask.notes,
    )


def _uncertain(mask: NDArray[np.uint8]) -> float:
    marked = int(np.count_nonzero(mask))
    return int(np.count_nonzero(mask == UNCERTAIN)) / marked if marked else 0.0


def _digest(lesion: Lesion, slice_hu: NDArray[np.int16], human: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(repr((lesion.shape, lesion.spacing, lesion.window)).encode())
    for array in (lesion.recist.points, slice_hu, human):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _masked(lesion: Lesion, methods: Sequence[str]) -> Lesion:
    slice_hu, masks = lesion.slice_hu, {"human": lesion.masks["human"]}
    for method in methods:
        try:
            mask = pseudo_mask(method, slice_hu, lesion.recist, lesion.window)
        except Exception:  # nosec B112 # told by `measure` already
            continue
        masks[method] = encode_labels(mask)
    return replace(lesion, masks=masks, encoded=lesion.slice_png)
