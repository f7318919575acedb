"""An answer to a prompt as files: mask, measurement, and who measured how."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions import Recist
from lesions.files import replace_with, write_text
from lesions.measurement import Measurement
from lesions.prompts import Prompt
from lesions.readers.prompted import PromptedSlice, Volumes, read_prompted
from lesions.readers.volumes import read_volumes
from lesions.writers.dicom import Algorithm
from trainables.answering.answerer import Answerer
from trainables.answering.files import ANSWER, OVERLAY, clear
from trainables.answering.identity import WHOLE
from trainables.answering.precision import name_of
from trainables.answering.question import Question, said
from trainables.answering.writing import volume_mm3, write_files
from trainables.system import Prediction, Square, System, View

Pair = tuple[float, float]
MEASURED, UNMEASURED, NOTHING = "measured", "not measured", "nothing found"
STATUSES = (MEASURED, UNMEASURED, NOTHING)
# Slice with what was told, window, mask, RECIST, and what was looked at → a PNG.
Draw = Callable[
    [PromptedSlice, Pair, NDArray[np.uint8] | None, Recist | None, Square | None, View | None],
    bytes,
]


def answer(
    answerer: Answerer,
    question: Question,
    folder: Path,
    draw: Draw,
    volumes: Volumes = read_volumes,
) -> dict[str, Any]:
    """Measure at a prompt and write the mask, the DICOM objects, a picture, last `answer.json`.

    Where nothing is found nothing is measured, drawn or written as a mask; what the system guesses
    all the same stands in `answer.json` alone, as that.

    Args:
        answerer: what measures.
        question: what is asked.
        folder: of the files; an earlier answer's are gone when this one is written.
        draw: makes the picture.
        volumes: see `read_prompted`.

    Returns:
        What `answer.json` says; its paths are relative to the folder.

    Raises:
        InputError: see `read_prompted` and `Answerer.told`.
    """
    start = time.perf_counter()
    seen = read_prompted(
        question.image, question.prompt, question.index, question.spacing, volumes,
        values_are_hu=question.values_are_hu,
    )  # fmt: skip
    case = seen.case(question.window)
    read = time.perf_counter()
    told = answerer.told(case)
    asked = time.perf_counter()
    (guess,) = answerer.parts.predict([replace(case, prompt=told)])
    prediction = guess if guess.found else _emptied(guess)
    answered = time.perf_counter()
    clear(folder)
    system, model = answerer.parts.system, answerer.answering.model
    algorithm = Algorithm(name=system.name, version=model.version)
    written = write_files(seen, prediction, algorithm, question, folder)
    picture = draw(
        replace(seen, prompt=told), question.window, prediction.mask, prediction.recist,
        prediction.square, prediction.view,
    )  # fmt: skip
    with replace_with(folder / OVERLAY) as file:
        file.write(picture)
    seconds = {"read": read - start, "told": asked - read}
    seconds |= prediction.seconds or {WHOLE: answered - asked}
    content = {
        "image": os.path.relpath(question.image, folder),
        "kind": seen.kind,
        "slice": seen.index,
        "told": said(question.prompt),
        "made": _made(answerer, seen, told, folder),
        "window_hu": list(question.window),
        "spacing_mm": list(seen.spacing),
        "status": _status(prediction),
        "found": prediction.found,
        **({"doubt": prediction.doubt} if prediction.doubt else {}),
        **({} if guess is prediction else {"guess": _guess(seen, guess)}),
        "mask": _mask(seen, prediction),
        "recist_from": _source(system, prediction),
        "recist": _recist(seen, prediction),
        "size": _size(seen, prediction),
        "files": written.files,
        "frames": written.frames,
        "tracking": {
            "identifier": written.tracking.identifier,
            "uid": written.tracking.uid or None,
            "given": asdict(question.tracking),
        },
        "warnings": [*seen.warnings, *written.warnings],
        "model": model.said(folder),
        "tta": answerer.answering.tta,
        "perpendicular": answerer.answering.perpendicular,
        "precision": name_of(answerer.parts.how.precision),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "note": "For research only: not a medical device.",
    }
    write_text(folder / ANSWER, json.dumps(content, indent=1))
    return content


def _emptied(guess: Prediction) -> Prediction:
    """What is answered where nothing was found."""
    return replace(
        guess, recist=None, spread_mm=(), peaks=(),
        mask=None if guess.mask is None else np.zeros_like(guess.mask),
    )  # fmt: skip


def _status(prediction: Prediction) -> str:
    if not prediction.found:
        return NOTHING
    return UNMEASURED if prediction.recist is None else MEASURED


def _guess(seen: PromptedSlice, guess: Prediction) -> dict[str, Any]:
    """What is said of a lesion that was not found."""
    return {"mask": _mask(seen, guess), "recist": _recist(seen, guess)}


def _made(
    answerer: Answerer, seen: PromptedSlice, told: Prompt, folder: Path
) -> dict[str, Any] | None:
    """What another model made of the prompt for the system to be told, in the image's pixels."""
    if answerer.answering.teller is None:
        return None
    prompt = type(told).from_points(_in_image(seen, told.points))
    return {**said(prompt), "made_by": answerer.answering.teller.said(folder)}


def _source(system: System, prediction: Prediction) -> str | None:
    """What the RECIST is from."""
    if prediction.recist is None:
        return None
    return "endpoints" if system.endpoints else "mask"


def _mask(seen: PromptedSlice, prediction: Prediction) -> dict[str, Any] | None:
    if prediction.mask is None:
        return None
    pixels = int((prediction.mask == 1).sum())
    volume = volume_mm3(seen, prediction)
    return {
        "pixels": pixels,
        "area_mm2": round(pixels * seen.spacing[0] * seen.spacing[1], 3),
        **({} if volume is None else {"volume_mm3": volume}),
    }


def _recist(seen: PromptedSlice, prediction: Prediction) -> dict[str, Any] | None:
    """Both axes; the ends in the image's own pixels, as the prompt is given.

    An end's spread and peak are null where the system has none.
    """
    if prediction.recist is None:
        return None
    points = _in_image(seen, prediction.recist.points)
    lengths = prediction.recist.diameters_mm(seen.spacing)
    spreads = prediction.spread_mm or (None,) * len(points)
    peaks = prediction.peaks or (None,) * len(points)
    ends = [
        {"x": round(float(x), 3), "y": round(float(y), 3),
         "spread_mm": _rounded(spread, 3), "peak": _rounded(peak, 4)}
        for (x, y), spread, peak in zip(points, spreads, peaks, strict=True)
    ]  # fmt: skip
    return {
        name: {
            "mm": round(lengths[axis], 3),
            "pixels": round(float(np.hypot(*(points[2 * axis + 1] - points[2 * axis]))), 3),
            "ends": ends[2 * axis : 2 * axis + 2],
        }
        for axis, name in enumerate(("long_axis", "short_axis"))
    }


def _size(seen: PromptedSlice, prediction: Prediction) -> dict[str, Any] | None:
    """What both axes together say; None without them.

    Whether it is measurable by RECIST 1.1 depends on whether it is a node, which nobody here knows.
    """
    if prediction.recist is None:
        return None
    measured = Measurement(recist=prediction.recist, spacing=seen.spacing)
    return {
        "who_product_mm2": round(measured.who_product_mm2, 3),
        "measurable": {"lesion": measured.measurable(), "node": measured.measurable(node=True)},
    }


def _in_image(seen: PromptedSlice, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) of the slice in the pixels that prompts are given in."""
    return points if seen.grid is not None else seen.points_in_image(points)[:, :2]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
