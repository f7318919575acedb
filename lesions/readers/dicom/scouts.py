"""Scouts among a series' slices: views along the patient, which some scanners file with them."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lesions.readers.dicom.header import Slice


def without_scouts(slices: Sequence[Slice]) -> tuple[list[Slice], dict[Path, str]]:
    """The axial slices of a series, and why each file that lies across them is not taken.

    Where those are not the fewer, nothing is set aside: which of them is meant nobody says.
    """
    files: dict[Path, set[bool]] = defaultdict(set)
    for one in slices:
        files[one.file].add(_is_axial(one))
    across = {file for file, axial in files.items() if axial == {False}}
    axial = [one for one in slices if one.file not in across]
    if len(slices) - len(axial) >= len(axial):
        return list(slices), {}
    reason = f"lies across the {len(axial)} axial slices of its series: a scout"
    return axial, dict.fromkeys(sorted(across), reason)


def _is_axial(one: Slice) -> bool:
    return bool(np.argmax(np.abs(one.normal)) == 2)
