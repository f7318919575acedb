"""The process of `test_light`: reads, makes masks and trains without the packages it is told.

python -m tests.lesions.carried '["pydicom", "ray"]' FOLDER
"""

import importlib
import json
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

MODULES = (
    "lesions", "lesions.prepared", "lesions.prompts", "lesions.metrics", "trainables",
    "trainables.registry", "trainables.loop", "trainables.parts", "trainables.pdnet",
)  # fmt: skip


class Fewer(PathFinder):
    """Finds what is installed, but for what shall look as if it were not."""

    absent: frozenset[str] = frozenset()

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in cls.absent:
            return None
        return super().find_spec(fullname, path, target)


def read_and_mask(folder: Path) -> None:
    from lesions import PSEUDO_MASKS, pseudo_mask
    from lesions.prepared import PreparedSet
    from tests.lesions.prepared.small_set import small_set

    (first, *_) = PreparedSet(small_set(folder))
    assert first.slice_hu.shape == first.mask("ellipse").shape == first.shape
    for name in PSEUDO_MASKS:
        mask = pseudo_mask(name, first.slice_hu, first.recist, first.window)
        assert mask.shape == first.shape, name


def train_and_resume(folder: Path) -> None:
    import torch

    from tests.trainables.runs import a_run, ellipses, small
    from trainables.loop import fit

    torch.set_num_threads(1)
    lesions = ellipses(4)
    for epochs, resume in ((1, None), (2, folder)):
        run = a_run(folder, small(epochs=epochs), lesions[:3], lesions[3:], resume=resume)
        assert len(fit(run).history) == epochs


def main(absent: str, folder: str) -> None:
    names = json.loads(absent)
    Fewer.absent = frozenset(names)
    sys.meta_path[sys.meta_path.index(PathFinder)] = Fewer
    for module in MODULES:
        importlib.import_module(module)
    read_and_mask(Path(folder, "set"))
    train_and_resume(Path(folder, "run"))
    print(json.dumps(sorted(set(names) & {name.partition(".")[0] for name in sys.modules})))


if __name__ == "__main__":
    main(*sys.argv[1:])
