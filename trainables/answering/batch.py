"""Many questions: an actor that loads a model once and answers the questions of an image."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from lesions import InputError
from lesions.files import make_folder, write_text
from lesions.readers.bounded import read_text
from lesions.readers.volumes import read_volumes
from trainables.answering.answered import is_answered
from trainables.answering.answerer import Answering
from trainables.answering.answers import Draw, answer
from trainables.answering.question import Question
from trainables.workers import use_assigned_resources

MOST_DEATHS = 2  # Ray starts an actor that died again and again: an image may be to blame
DEATHS = ".deaths"

Item = Mapping[str, str]


def item_of(questions: Sequence[tuple[str, Question]]) -> dict[str, str]:
    """Questions about one image, each with its folder's name, as an actor's item."""
    return {"questions": json.dumps([(name, question.packed()) for name, question in questions])}


def questions_of(item: Item) -> list[tuple[str, Question]]:
    """What `item_of` was given."""
    return [(name, Question.unpacked(fields)) for name, fields in json.loads(item["questions"])]


class AnswerActor:
    """Answers questions into folders, one each, as the single command does.

    Args:
        answering: who answers, and how.
        out: the folder of the answers' folders; all nodes see it.
        draw: an answer's picture.
    """

    def __init__(self, answering: Answering, out: Path, draw: Draw) -> None:
        self.answerer = answering.load(use_assigned_resources())
        self.out, self.draw = out, draw
        # An image's other questions come next: a series or a volume's file is read once for them.
        self.volumes = functools.lru_cache(maxsize=1)(read_volumes)

    def __call__(self, item: Item) -> dict[str, str]:
        """Answer an item's questions; `rejected` holds (folder, reason) of those that cannot be."""
        questions = questions_of(item)
        deaths = make_folder(self.out / questions[0][0]) / DEATHS
        died = _read_deaths(deaths)
        write_text(deaths, str(died + 1))
        rejected = [
            (name, reason)
            for name, question in questions
            if (reason := self._reason(name, question, died))
        ]
        deaths.unlink(missing_ok=True)
        return {"rejected": json.dumps(rejected)}

    def _reason(self, name: str, question: Question, died: int) -> str:
        """Answer a question, unless that is done; "" or why it cannot be answered."""
        if is_answered(self.out / name, question, self.answerer.answering):
            return ""
        if died >= MOST_DEATHS:
            return f"the worker ended {died} times over this image: is there memory enough?"
        try:
            answer(self.answerer, question, self.out / name, self.draw, self.volumes)
        except Exception as error:  # one must not end a batch; its reason says what happened
            return reason_of(error)
        return ""


def reason_of(error: Exception) -> str:
    """What went wrong, without the file's path: lists of reasons are given away."""
    if isinstance(error, InputError):
        return error.advice
    return f"{type(error).__name__}: {error.strerror if isinstance(error, OSError) else error}"


def _read_deaths(file: Path) -> int:
    """How often a worker ended over these questions; 0 where the file does not say."""
    try:
        return int(read_text(file, 16))
    except (OSError, ValueError):
        return 0
