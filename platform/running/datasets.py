"""The data of a run: a prepared set that a user names, or the shipped sample."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.prepared.preparing import Plan, table_digest
from lesions.readers.deeplesion import EXACT_MASKS
from lesions.sample import ROOT as SAMPLE
from platform.prepare import prepare

PHANTOM = " (phantom)"  # after the name of made lesions


@dataclass(frozen=True, kw_only=True)
class Data:
    """A prepared set, and how it is called where its results are shown.

    Attributes:
        root: its folder.
        fingerprint: of every lesion, pixel and mask.
        description: for people.
        truth: what its test lesions are judged by.
        phantom: whether its lesions are made ones.
        embeddings: the digest of what a run learns look-alikes by; "" where it learns none.
    """

    root: Path
    fingerprint: str
    description: str
    truth: str
    phantom: bool = False
    embeddings: str = ""

    @property
    def name(self) -> str:
        """The set's name."""
        return self.description.partition(",")[0]

    def tags(self) -> dict[str, str]:
        """As MLflow tags."""
        return {
            "lesion.data": self.description,
            "lesion.data_fingerprint": self.fingerprint,
            "lesion.truth": self.truth,
            **({"lesion.embeddings": self.embeddings} if self.embeddings else {}),
        }


def find_data(
    root: Path | None, storage: Path, mask: str | None = None, split: str = "test"
) -> Data:
    """The prepared set at `root`; without one the sample, prepared into `storage` if need be.

    Args:
        root: its folder.
        storage: where the sample's prepared set is kept.
        mask: the pseudo mask that it must have, if any.
        split: what its description tells of.

    Raises:
        InputError: no whole prepared set there, or one without the pseudo mask `mask`.
    """
    if root is None:
        say("no --data: taking the shipped sample (CC BY 3.0, see lesions/sample)")
        root = storage / "prepared" / f"sample-{_recipe()}"
        prepare(Plan(source=SAMPLE, out=root, masks=("snakes", "ellipse")))
    root = root.expanduser().absolute()
    lesions = PreparedSet(root, split)
    if mask is not None and mask not in lesions.manifest["masks"]:
        raise InputError(
            f"the set has no pseudo mask {mask!r}", file=root,
            remedy=f"choose of {', '.join(lesions.manifest['masks'])}, or prepare it with --masks",
        )  # fmt: skip
    sample = lesions.manifest.get("table") == table_digest(SAMPLE)
    phantom = "phantom" in lesions.manifest
    name = "the shipped sample" if sample else root.name
    if "marks" in lesions.manifest:
        name += f" (marks {lesions.manifest['marks']})"
    if "marks_noise" in lesions.manifest:
        name += f" (marks noise {lesions.manifest['marks_noise']})"
    if phantom:
        name += PHANTOM
    patients = {row["patient"] for row in lesions.rows}
    kinds = Counter(row["lesion_type"] for row in lesions.rows)
    human = lesions.manifest["human_masks"] == lesions.manifest["accepted"]
    listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.most_common())
    truth = "human masks" if human else "human masks where there are any, else pseudo masks"
    return Data(
        root=root,
        fingerprint=lesions.fingerprint,
        description=f"{name}, {len(lesions)} {split} slices of {len(patients)} patients ({listed})",
        truth=EXACT_MASKS if phantom and human else truth,
        phantom=phantom,
    )


def check_one_kind(sets: Sequence[Data]) -> None:
    """InputError where made lesions and real ones would be measured together."""
    if len({data.phantom for data in sets}) > 1:
        made = next(data.root for data in sets if data.phantom)
        raise InputError(
            "a phantom, which is never measured together with real lesions", file=made,
            remedy="call once for each kind",
        )  # fmt: skip


def _recipe() -> str:
    """Changes with the sample and with the code that prepares it: an old set is never taken."""
    digest = hashlib.sha256(table_digest(SAMPLE).encode())
    for path in sorted(SAMPLE.parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
