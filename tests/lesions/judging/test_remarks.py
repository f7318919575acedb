"""What had to be chosen to read a file is told once, and slices that are no HU are set aside."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesions.judging.batches import deeplesion_batches
from lesions.judging.measuring import Measured, measure
from lesions.judging.pairs import Pair
from lesions.lesion import Lesion
from lesions.prepared.pairs import source_of
from lesions.prepared.preparing import Plan, Table, prepare_part
from lesions.readers.deeplesion import Rejected, Remark, read_deeplesion
from lesions.readers.png import encode_slice
from platform.running import parts
from tests.lesions.readers.dicom_files import save_all, series
from tests.lesions.readers.grid_files import metaimage, save
from tests.lesions.readers.seg_files import ct_of, seg_of, two_lesions
from tests.platform.conftest import sample_rows, write_source

MASK = two_lesions()
AFFINE = np.diag([0.7, 0.8, 2.5, 1.0])
UNSAID = {"TransformMatrix": None}
SAID = "TransformMatrix is missing: the axes are taken to run left, back and head"


def pair_of(folder: Path) -> Pair:
    ct = save(folder / "ct.mha", metaimage(ct_of(MASK).transpose(2, 1, 0), AFFINE, **UNSAID))
    mask = save(folder / "mask.mha", metaimage(MASK.transpose(2, 1, 0), AFFINE, **UNSAID))
    return Pair(name="one", image=ct, mask=mask, window=(-100.0, 200.0))


def test_each_file_of_a_pair_once(tmp_path: Path) -> None:
    found = [*pair_of(tmp_path).read()]
    # The mask says the same as the image: that is told once.
    assert [one for one in found if isinstance(one, Remark)] == [Remark(file="ct.mha", words=SAID)]
    assert len([one for one in found if isinstance(one, Lesion)]) == 2
    measured = measure(pair_of(tmp_path), ["ellipse"])
    assert [type(one) for one in measured] == [Remark, Measured, Measured]


def test_a_seg_does_not_repeat_its_series(tmp_path: Path) -> None:
    datasets = series(ct_of(MASK), RescaleType="US")
    save_all(datasets, tmp_path / "ct")
    seg_of(datasets, MASK).save_as(tmp_path / "seg.dcm")
    pair = Pair(name="one", image=tmp_path / "ct", mask=tmp_path / "seg.dcm", window=(-100, 200))
    (said,) = [one for one in pair.read() if isinstance(one, Remark)]
    assert said.file == "ct"
    assert said.words.startswith("RescaleType is US")


def test_a_part_hands_them_to_the_driver_which_says_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(source=source_of(tmp_path, [pair_of(tmp_path)]), out=tmp_path / "out", masks=())
    (part,), _ = plan.lesions.parts()
    item = {"part": 0, "rows": part}
    outcome = prepare_part(item, plan)
    assert outcome == {"part": 0, "rows": 1, "error": "", "remarks": [("ct.mha", SAID)]}
    monkeypatch.setattr(parts, "_outcomes", lambda *_: iter([outcome]))
    parts.make_parts("preparing", lambda *_: [], [item], plan, 1)
    assert f"warning: ct.mha: {SAID}" in " ".join(capsys.readouterr().out.split())


SLICES: dict[str, Any] = {
    "0…1": lambda hu: (hu > 0).astype(np.int16),
    "0…255": lambda hu: np.clip((hu + 160) / 400 * 255, 0, 255).astype(np.int16),
    "an offset": lambda hu: hu + 1024,
}


@pytest.mark.parametrize("kind", SLICES)
def test_slices_that_are_no_hu(tmp_path: Path, kind: str) -> None:
    source = write_source(tmp_path, sample_rows(test=1))
    (lesion,), _ = read_deeplesion(source)
    folder, _, index = lesion.file.removesuffix(".png").rpartition("_")
    hu = np.clip(lesion.slice_hu, -1024, 3000)
    (source / "Images_png").unlink()
    path = source / "Images_png" / folder / f"{index}.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_slice(SLICES[kind](hu), 1))
    for taken in (False, True):
        (batch,) = deeplesion_batches(
            source, ("test",), keep_noisy=False, largest=False, values_are_hu=taken
        )
        table = Table(place=source, values_are_hu=taken)
        (part,), _ = table.parts()
        for (found,) in (batch.read(), table.read(part)):
            assert isinstance(found, Lesion if taken else Rejected)
            assert taken or found.reason.startswith("no HU: values of ")  # type: ignore[union-attr]
    assert Table(place=source).options() == {"keep_noisy": False}
    assert table.options() == {"keep_noisy": False, "values_are_hu": True}
