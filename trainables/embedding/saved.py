"""A trained embedder as two files: `embedder.json`, its config; `embedder.safetensors`, weights."""

import json
from dataclasses import replace
from pathlib import Path

import safetensors.torch

from lesions import InputError
from lesions.files import replace_with, write_text
from lesions.readers.bounded import read_json
from trainables.configs import blaming, edited, flatten
from trainables.embedding.network import Embedder, EmbedderConfig

MODEL = "model"  # in a set's folder of embeddings
CONFIG, WEIGHTS = "embedder.json", "embedder.safetensors"
_MOST_CONFIG = 1 << 16  # bytes


def save_embedder(folder: Path, model: Embedder) -> None:
    """Write an embedder, its weights first."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with replace_with(folder / WEIGHTS) as file:
        file.write(safetensors.torch.save(weights))
    write_text(folder / CONFIG, json.dumps(flatten(model.config.bare), indent=1))


def read_embedder(embeddings: Path) -> EmbedderConfig:
    """The embedder that made some embeddings, its weights by their file.

    Args:
        embeddings: their folder, `SET/embeddings`.

    Raises:
        InputError: none did, or it is damaged.
    """
    folder = embeddings / MODEL
    try:
        values = read_json(folder / CONFIG, dict, _MOST_CONFIG)
    except OSError:
        raise InputError(
            "no embedder made the embeddings there", file=embeddings,
            remedy="make some with python -m platform.embed, without --model",
        ) from None  # fmt: skip
    with blaming(folder / CONFIG):
        config = edited(EmbedderConfig().bare, values)
    if not (folder / WEIGHTS).is_file():
        raise InputError("the embedder's weights are gone", file=folder / WEIGHTS,
                         remedy=f"remove {embeddings}, and run platform.embed again")  # fmt: skip
    return replace(config, weights_file=folder / WEIGHTS)
