"""One question or several about one image, answered in this process and said in the terminal."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboards.plots.overlays import answer_overlay
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import make_folder
from lesions.readers.prompted import Volumes
from lesions.readers.volumes import read_volumes
from lesions.writers.dicom import Algorithm
from trainables.answering.answerer import Answerer
from trainables.answering.answers import NOTHING, UNMEASURED, answer
from trainables.answering.combined import combine
from trainables.answering.files import ANSWER, OVERLAY, clear, forget
from trainables.answering.question import Question


def ask(
    answerer: Answerer, question: Question, out: Path, volumes: Volumes = read_volumes
) -> dict[str, Any]:
    """Measure at the prompt, write and print; what `answer.json` says.

    Raises:
        InputError: see `answer`.
    """
    found = answer(answerer, question, out, answer_overlay, volumes)
    for words in found["warnings"]:
        say(f"warning: {words}")
    recist, doubt, system = found["recist"], found.get("doubt", ""), answerer.parts.system
    if found["status"] == NOTHING:
        say(f"{NOTHING}: {doubt}" if doubt else NOTHING)
        if found["guess"]["recist"] is not None:
            say(f"what is guessed all the same is in {ANSWER} alone")
    elif doubt:
        say(f"doubtful: {doubt}")
    if found["status"] == UNMEASURED:
        reason = "the endpoints coincide" if system.endpoints else "there is no mask"
        say(f"no measurement: {reason}")
    elif recist is not None:
        say(f"{recist['long_axis']['mm']:.1f} × {recist['short_axis']['mm']:.1f} mm, from the "
            f"{found['recist_from']}")  # fmt: skip
    if found["mask"] is None:
        say(f"no mask: {system.name} segments nothing")
    elif "mask" not in found["files"]:
        say("no mask: an empty one is no DICOM SEG")
    names = ", ".join([*found["files"].values(), OVERLAY, ANSWER])
    say(f"in {sum(found['seconds'].values()):.2f} s; {names} in {out}")
    return found


def ask_all(answerer: Answerer, questions: Sequence[Question], out: Path) -> bool:
    """Measure several lesions of one image, a folder each; whether there is a measurement.

    Of a DICOM image one SEG and one report hold them all, in `out` itself. A question that cannot
    be answered is said and passed over.

    Raises:
        InputError: none could be answered.
    """
    volumes = functools.lru_cache(maxsize=1)(read_volumes)
    folders = {out / f"{question.number:06d}": question for question in questions}
    clear(out)
    for left in out.glob("[0-9]" * 6):
        if left not in folders:
            forget(left)
    answers, errors = {}, []
    for folder, question in folders.items():
        points = " ".join(f"{x:g},{y:g}" for x, y in question.prompt.points)
        name = question.tracking.identifier or f"lesion {question.number}"
        say(f"{name}, {question.prompt.name} {points}:")
        try:
            answers[folder] = ask(answerer, question, make_folder(folder), volumes)
        except InputError as error:
            say(f"not answered: {error}")
            errors.append(error)
            forget(folder)
    if not answers:
        raise errors[0]
    system, model = answerer.parts.system, answerer.answering.model
    for words in combine([*answers], Algorithm(name=system.name, version=model.version), out):
        say(f"warning: {words}")
    return any(found["recist"] is not None for found in answers.values())
