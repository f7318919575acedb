"""A checkpoint that loads fast, and ways to damage it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.trainables.runs import ellipses, small
from trainables.configs import edited

LESIONS = ellipses(6)
CONFIG = small(epochs=2)
PLAIN = edited(CONFIG, {"network": "nnunet", "nnunet.features": 1})
FIRST = "network.encoder.stages.0.0.convs.0.conv.weight"


def resaved(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Write a checkpoint's file anew, its content edited."""
    content = torch.load(path, weights_only=True)
    torch.save(edit(content) or content, path)


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """An edit: the entry at these keys is `value`, or what `value` makes of it."""

    def edit(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value(content[keys[-1]]) if callable(value) else value

    return edit
