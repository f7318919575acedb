"""What is asked: the lesion at a prompt on an image."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lesions.prompts import PROMPTS, Prompt
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.tracking import NOBODYS, Tracking


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        image: a 16-bit PNG, a DICOM file or folder, or a NIfTI file.
        prompt: in the image's pixels; see `read_prompted`.
        index: the slice, None where there is one alone.
        spacing: (x, y) mm of a PNG.
        window: (low, high) HU.
        values_are_hu: whatever their range says.
        tracking: what the caller calls the lesion.
        number: among those asked together, 1 = the first; a lesion that nobody calls anything is
            called by it.
    """

    image: Path
    prompt: Prompt
    index: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] = SOFT_TISSUE
    values_are_hu: bool = False
    tracking: Tracking = NOBODYS
    number: int = 1

    def packed(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "image": str(self.image), "prompt": said(self.prompt), "index": self.index,
            "spacing": self.spacing, "window": self.window, "values_are_hu": self.values_are_hu,
            "tracking": asdict(self.tracking), "number": self.number,
        }  # fmt: skip

    @classmethod
    def unpacked(cls, fields: Mapping[str, Any]) -> "Question":
        """What `packed` was called of."""
        prompt, spacing = fields["prompt"], fields["spacing"]
        return cls(
            image=Path(fields["image"]),
            prompt=PROMPTS[prompt["kind"]].from_points(prompt["points"]),
            index=fields["index"],
            spacing=None if spacing is None else (spacing[0], spacing[1]),
            window=(fields["window"][0], fields["window"][1]),
            values_are_hu=fields["values_are_hu"],
            tracking=Tracking(**fields["tracking"]),
            number=fields["number"],
        )


def said(prompt: Prompt) -> dict[str, Any]:
    """A prompt as JSON: its kind and its points."""
    return {"kind": prompt.name, "points": prompt.points.tolist()}
