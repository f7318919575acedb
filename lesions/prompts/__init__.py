"""What a system is told of a lesion: a click, a box or RECIST marks, beside the slice.

A prompt is made by a person, or from a lesion by the one seeded function of its kind, `of`: the
same for a lesion at every evaluation. A system sees its prompt and the slice, and nothing else.
"""

from lesions.prompts.box import Box, TellBox
from lesions.prompts.case import Case, case_of
from lesions.prompts.click import Click, TellClick
from lesions.prompts.marks import Marks, TellMarks
from lesions.prompts.prompt import Prompt, Telling

PROMPTS: dict[str, type[Prompt]] = {kind.name: kind for kind in (Click, Box, Marks)}

__all__ = [
    "PROMPTS",
    "Box",
    "Case",
    "Click",
    "Marks",
    "Prompt",
    "TellBox",
    "TellClick",
    "TellMarks",
    "Telling",
    "case_of",
]
