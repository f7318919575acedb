"""Damaged images answered: read, measured and written as `predict` does, and read back.

What answers is no network: what stands out of its surroundings at the click is lesion.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dashboards.plots.overlays import answer_overlay
from lesions import Click, InputError, Volume, lesions_from_mask, read_volume
from lesions.masks.parts import part_at
from lesions.prompts import Case
from lesions.readers.dicom import read_segmentation
from lesions.readers.png import decode_labels
from lesions.readers.volumes import read_volumes
from tests.house.toy import Toy
from tests.lesions.readers.fuzz.nifti import check_volume
from tests.lesions.readers.fuzz.rows import check_lesion
from tests.lesions.readers.fuzz.saving import dataset_of
from trainables.answering.answered import read_answer
from trainables.answering.answerer import Answerer, Answering
from trainables.answering.answers import MEASURED, answer
from trainables.answering.identity import Checkpoint, Identity
from trainables.answering.question import Question
from trainables.parts import Parts
from trainables.system import How, Prediction, Trained

_MOST_ANSWERED = 1 << 24  # voxels; the largest volumes take longer than all the rest
_EACH_DRAWN = 16  # of so many one picture is the real one: it takes longer than all the rest


class Brighter(Toy):
    """Says that what is brighter than the middle of its window, at the click, is lesion."""

    name, title = "brighter", "Brighter"

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        for case in cases:
            mask = part_at(case.slice_hu > sum(case.window) / 2, case.prompt.middle)
            yield Prediction(mask=mask.astype(np.uint8), found=bool(mask.any()))


@cache
def _answerer() -> Answerer:
    own = Identity(
        system="brighter", parts={"": Checkpoint(folder=Path("/nowhere"))}, digests={"": "0" * 64}
    )
    system = Brighter()
    trained = Trained(config=system.presets()["tiny"](), model=nn.Identity())
    parts = Parts(system=system, trained=(trained,), how=How(device=torch.device("cpu")))
    return Answerer(answering=Answering(system="brighter", model=own), parts=parts)


def read(folder: Path) -> tuple[int, list[str]]:
    """1 for an answer whose files are what `answer.json` says; InputError for a named refusal."""
    (image,) = folder.glob("image*")
    chance = crc32(image.read_bytes())
    drawn = chance % _EACH_DRAWN == 0
    is_png = image.suffix == ".png"
    volumes = [] if is_png else read_volumes(image)
    for one in volumes:
        check_volume(one)
        if one.hu.size > _MOST_ANSWERED:
            return 1, []
    question = Question(
        image=image, prompt=Click(at=_middle(volumes)), index=_index(volumes),
        spacing=(0.7, 0.8) if is_png else None, values_are_hu=chance % 5 > 0,
    )  # fmt: skip
    out = folder / "out"
    found = answer(
        _answerer(), question, out, answer_overlay if drawn else _no_picture, lambda _: volumes
    )
    assert read_answer(out) == json.loads(json.dumps(found))
    try:
        _check_files(found, out, volumes)
    except InputError as error:  # what is written is read: this is no refusal
        raise AssertionError(str(error)) from error
    if volumes:
        _check_lesions(volumes[0])
    return 1, []


def _middle(volumes: Sequence[Volume]) -> tuple[float, float]:
    """In any image that is asked: (column, row), also where a frame is stored turned."""
    side = min(volumes[0].hu.shape[1:]) if volumes else 20
    return side // 2, side // 2


def _index(volumes: Sequence[Volume]) -> int | None:
    return len(volumes[0].hu) // 2 if volumes else None


def _no_picture(*_: Any) -> bytes:
    return b"none"


def _check_files(found: dict[str, Any], out: Path, volumes: Sequence[Volume]) -> None:
    """The mask is read back with as many pixels as are said, and the report holds the axes."""
    name, pixels = found["files"].get("mask"), found["mask"]["pixels"]
    if name is None:
        assert pixels == 0
        return
    path = out / name
    if name == "mask.png":
        labels: NDArray[Any] = decode_labels(path.read_bytes())
    elif name == "mask.dcm":
        labels = read_segmentation(path, volumes[0]).hu
    else:
        back = read_volume(path)
        labels = back.hu
        np.testing.assert_allclose(back.spacing, volumes[0].spacing, rtol=1e-4)
        assert labels.shape == volumes[0].hu.shape
    assert np.count_nonzero(labels == 1) == pixels
    if "report" in found["files"]:
        assert found["status"] == MEASURED
        assert dataset_of((out / found["files"]["report"]).read_bytes()).Modality == "SR"


def _check_lesions(one: Volume) -> None:
    """A mask of the volume gives lesions that serve."""
    with suppress(InputError):  # specks by the thousand
        for lesion in lesions_from_mask(one, one.hu > 40)[:2]:
            check_lesion(lesion)
