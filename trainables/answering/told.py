"""A prompt made by another model: of what it segments, as papers say they get their boxes."""

from lesions import InputError
from lesions.prompts import Box, Case, Marks, Prompt, TellBox, Telling
from lesions.prompts.box import box_around
from trainables.parts import recist_at
from trainables.system import Prediction

MADE: tuple[type[Prompt], ...] = (Box, Marks)  # the kinds that a mask can make


def made_prompt(telling: Telling, found: Prediction, case: Case) -> Prompt:
    """The box or the marks of the part of a mask that lies at a case's own prompt.

    Args:
        telling: how evaluation tells the system, a kind of MADE: it says how large boxes are.
        found: what the other model says of the case.
        case: with the other model's prompt.

    Raises:
        InputError: it segments nothing.
    """
    at = case.prompt.middle
    if found.mask is not None and (found.mask == 1).any():
        if isinstance(telling, TellBox):
            return box_around(found.mask, at, telling.least, telling.most)
        if (recist := recist_at(found.mask, at, case.spacing)) is not None:
            return Marks(recist=recist)
    raise InputError(f"the model that is to make {telling.kind.words} segments nothing")
