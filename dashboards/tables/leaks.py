"""How many test lesions the model was trained on: words and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lesions.seen import BOTH, PATIENT, PIXELS, UNKNOWN

Row = Mapping[str, Any]


def leak_notes(rows: Sequence[Row]) -> Iterator[str]:
    """What a reader has to know of lesions with `trained_on`; nothing of rows without it."""
    words = [row["trained_on"] for row in rows if "trained_on" in row]
    if not words:
        return
    if patients := sum(word in (PATIENT, BOTH) for word in words):
        yield (
            f"LEAK: {patients} of {len(words)} lesions are of patients that bear the name of one "
            "that the model was trained on; what is measured on them tells nothing of new patients."
        )
    if pixels := sum(word in (PIXELS, BOTH) for word in words):
        yield (
            f"LEAK: {pixels} of {len(words)} lesions lie on slices with the very pixels of one "
            "that the model was trained on, under whatever name."
        )
    if unknown := words.count(UNKNOWN):
        yield (
            f"Whether {unknown} of {len(words)} lesions were trained on is not known: the "
            "checkpoint does not say on what it was trained."
        )
    if not (patients or pixels or unknown):
        yield "No lesion's patient, nor its slice by its pixels, was trained on."


def leak_metrics(rows: Sequence[Row]) -> dict[str, float]:
    """For MLflow: how many lesions were trained on, by patient and by pixels, or may have been."""
    words = [row["trained_on"] for row in rows if "trained_on" in row]
    if not words:
        return {}
    return {
        "trained_on_by_patient": float(sum(word in (PATIENT, BOTH) for word in words)),
        "trained_on_by_pixels": float(sum(word in (PIXELS, BOTH) for word in words)),
        "trained_on_not_known": float(words.count(UNKNOWN)),
    }
