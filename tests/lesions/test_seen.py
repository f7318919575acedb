"""What was trained on is told again by patient and by pixels, under whatever names."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lesions import InputError
from lesions.seen import (
    BOTH,
    NEITHER,
    PATIENT,
    PIXELS,
    UNKNOWN,
    Seen,
    of_all,
    patient_digest,
    slice_digest,
    together,
)

HU = np.arange(12, dtype=np.int16).reshape(3, 4) - 6
SEEN = Seen(
    fingerprint="f", patients=frozenset({patient_digest("jane"), patient_digest("joe")}),
    slices=frozenset({slice_digest(HU)}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("patient", "hu", "word"),
    [
        ("jane", HU, BOTH), ("jane", HU + 1, PATIENT), ("ann", HU, PIXELS),
        ("ann", HU + 1, NEITHER), ("", HU, PIXELS), ("ann", HU.reshape(4, 3), NEITHER),
        ("ann", np.asfortranarray(HU), PIXELS),
    ],
)  # fmt: skip
def test_a_lesion_that_was_trained_on_is_known(patient: str, hu: Any, word: str) -> None:
    assert SEEN.has(patient, slice_digest(hu)) == word


def test_a_patient_without_a_name_is_nobody() -> None:
    nameless = replace(SEEN, patients=frozenset({patient_digest("")}))
    assert nameless.has("", slice_digest(HU + 1)) == NEITHER


def test_what_is_written_is_read_again_and_holds_no_name() -> None:
    said = SEEN.said()
    assert Seen.read(said) == SEEN
    assert "jane" not in str(said)


@pytest.mark.parametrize(
    "said",
    [5, {}, {"fingerprint": "f"}, SEEN.said() | {"patients": ["a"]}, SEEN.said() | {"x": ""}],
)
def test_what_is_written_otherwise_is_refused(said: Any) -> None:
    with pytest.raises(InputError, match="does not say what was trained on"):
        Seen.read(said)


def test_models_that_were_taken_over_count() -> None:
    other = Seen(fingerprint="g", patients=frozenset({"p"}), slices=frozenset())
    both = together([SEEN, other])
    assert both is not None
    assert (both.fingerprint, both.patients) == ("f g", SEEN.patients | {"p"})
    assert together([SEEN, None]) is None


@pytest.mark.parametrize(
    ("words", "word"),
    [([NEITHER, UNKNOWN], UNKNOWN), ([UNKNOWN, PATIENT], PATIENT), ([PATIENT, BOTH], BOTH),
     ([NEITHER, NEITHER], NEITHER)],
)  # fmt: skip
def test_one_part_that_has_seen_it_is_enough(words: list[str], word: str) -> None:
    assert of_all(words) == word
