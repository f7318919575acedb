"""What a lesion is called: what no DICOM object may have is refused, and the same is the same."""

import itertools

import pytest
from pydicom.uid import UID

from lesions import InputError
from lesions.tracking import Tracking, derived_uid, new_uid


@pytest.mark.parametrize("word", ["T" * 65, "a\\b", "a\nb", " a", "a ", "\x1b[2J", "a\u202eb"])
def test_identifiers_that_are_none(word: str) -> None:
    with pytest.raises(InputError, match=r"the tracking identifier .* is none \(at most 64"):
        Tracking(identifier=word)


@pytest.mark.parametrize("uid", ["1.02.3", "1.2.", "x", "3.1", "1", "1." + "2" * 63, "1.2.3 "])
def test_uids_that_are_none(uid: str) -> None:
    with pytest.raises(InputError, match=r"the tracking UID .* is no UID \(at most 64"):
        Tracking(uid=uid)


def test_what_may_be_said() -> None:
    for word in ("", "T1", "target 2, liver", "病变 1", "T" * 64):
        assert Tracking(identifier=word, uid="1.2.840.10008.1").identifier == word


def test_a_uid_follows_from_the_word_and_the_patient_alone() -> None:
    """The first is written down: a change of the way would give every lesion another UID."""
    first = derived_uid("T1", "P-17", "HOSPITAL")
    assert first == "2.25.140430922396827603861208377158006510547"
    words = [("T1", "P-17", "HOSPITAL"), ("T2", "P-17", "HOSPITAL"), ("T1", "P-18", "HOSPITAL"),
             ("T1", "P-17", ""), ("T1", "P-17HOSPITAL", ""), ("P-17", "T1", "")]  # fmt: skip
    uids = [derived_uid(*each) for each in words]
    assert uids[0] == first
    for one, other in itertools.combinations(uids, 2):
        assert one != other
    for uid in (*uids, new_uid()):
        assert UID(uid).is_valid
        Tracking(uid=uid)
    assert derived_uid("é", "P", "") == derived_uid("e\u0301", "P", "")
    assert new_uid() != new_uid()
