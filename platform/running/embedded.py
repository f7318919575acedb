"""Systems that learn by looks: their set's embedder, which is trained where there is none."""

from dataclasses import replace
from typing import Any

from dashboards.tables.terminal import say
from lesions.prepared import PreparedSet
from lesions.prepared.embeddings import FOLDER
from platform.embed import embed_set, embedding_config
from platform.running.datasets import Data
from platform.running.embedding import Wanted
from trainables.embedding.config import PRESETS
from trainables.embedding.saved import read_embedder
from trainables.roles import ByLooks
from trainables.system import System

TINY = "tiny"


def with_looks(system: System, config: Any, preset: str, data: Data) -> tuple[Any, Data]:
    """A run's config and data; of a system that learns by looks with the set's embedder.

    Args:
        system: what is trained.
        config: as asked.
        preset: that it was made from.
        data: what it is trained on; given embeddings where it has none.

    Raises:
        InputError: the embeddings are damaged, of other lesions, or no embedder's.
    """
    if not isinstance(system, ByLooks) or not system.by_looks(config):
        return config, data
    place = data.root / FOLDER
    if (found := PreparedSet(data.root).embeddings) is None:
        name = TINY if preset == TINY else next(one for one in PRESETS if one != TINY)
        say(
            f"the set has no embeddings: an embedder is trained ({name} preset), see platform.embed"
        )
        embed_set(Wanted(data=data.root, out=place, by=embedding_config(name)), data)
        found = PreparedSet(data.root).embeddings
    assert found is not None
    known = replace(data, embeddings=found.digest)
    return system.with_embedder(config, read_embedder(place)), known
