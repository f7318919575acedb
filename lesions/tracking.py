"""By what a lesion is known again at another time: a word that the caller gives, and a UID."""

import hashlib
import json
import re
import unicodedata
import uuid
from dataclasses import dataclass

from lesions.errors import InputError, shown

MOST = 64  # characters of an identifier: what DICOM's LO takes, and readers show
_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
# 16 MB and 0.04 s a guess; a change would give every lesion another UID.
_COST = {"n": 1 << 14, "r": 8, "p": 1}


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """What a lesion is called by.

    Attributes:
        identifier: the caller's own word for it, as "T1"; "" without.
        uid: a DICOM UID; "" without.
    """

    identifier: str = ""
    uid: str = ""

    def __post_init__(self) -> None:
        """InputError for an identifier or a UID that no DICOM object may have."""
        word = self.identifier
        if len(word) > MOST or word != word.strip() or "\\" in word or not word.isprintable():
            raise InputError(
                f"the tracking identifier {shown(word)!r} is none",
                remedy=f"at most {MOST} printable characters, no backslash, no space at an end",
            )
        if self.uid and (len(self.uid) > 64 or not _UID.fullmatch(self.uid)):
            raise InputError(
                f"the tracking UID {shown(self.uid)!r} is no UID",
                remedy="at most 64 digits and dots, as 1.2.840.1; or leave it out",
            )

    def __bool__(self) -> bool:
        """Whether anything was given."""
        return bool(self.identifier or self.uid)


NOBODYS = Tracking()  # what a lesion is called that nobody calls anything


def new_uid() -> str:
    """A UID that no lesion had before."""
    return f"2.25.{uuid.uuid4().int}"


def derived_uid(identifier: str, patient: str, issuer: str) -> str:
    """The UID of a patient's lesion: the same for the same words, at any time and place.

    By a function that is slow on purpose (scrypt): the patient's ID cannot be computed from it,
    and guessing costs 0.04 s of a core a guess.

    Args:
        identifier: the caller's word for the lesion.
        patient, issuer: PatientID and IssuerOfPatientID.
    """
    words = [unicodedata.normalize("NFC", word) for word in (issuer, patient, identifier)]
    secret = json.dumps(words).encode()
    digest = bytearray(hashlib.scrypt(secret, salt=b"lesion tracking UID", dklen=16, **_COST))
    digest[6] = digest[6] & 0x0F | 0x80  # a UUID of version 8: made in a way of one's own
    digest[8] = digest[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(digest, 'big')}"
