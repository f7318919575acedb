"""Every pseudo mask of the registry: the same bytes in any process, order and number of threads."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from lesions.masks import PSEUDO_MASKS
from lesions.prepared.part import part_path
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table
from lesions.sample import ROOT as SAMPLE

PARTS = 3


def prepare_parts(out: Path, order: list[int], masks: tuple[str, ...]) -> list[bytes]:
    """A few lesions of many patients, as parts made in this order."""
    rows = read_table(SAMPLE)[::37]
    plan = Plan(source=SAMPLE, out=out, masks=masks)
    for number in order:
        (part,) = parts_of(rows[number::PARTS])
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    return [part_path(out, number).read_bytes() for number in range(PARTS)]


def test_every_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dcrf's matrix products are BLAS' and GrabCut's mixtures start from OpenCV's own generator."""
    names = tuple(PSEUDO_MASKS)
    here = prepare_parts(tmp_path / "here", [*range(PARTS)], names)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(variable, "3")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        backwards = [*range(PARTS)][::-1]
        there = pool.submit(prepare_parts, tmp_path / "there", backwards, names)
        # Here once more, after all the others: no mask depends on what was made before.
        again = prepare_parts(tmp_path / "again", [1, 0, 2], names)
        assert there.result() == here == again
