"""Checkpoints: run.json's values, and the archives, pickles and tensors of best.pt and last.pt.

torch is imported inside: the other kinds are read without it.
"""

import io
import json
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.lesions.readers.fuzz.mutations import FLOATS, INTEGERS, TEXTS, mutate

_VALUES: tuple[Any, ...] = (
    None, True, False, [], {}, [1, 2], [0.5], {"a": 1}, [[[]]], "nan", 10**400, *FLOATS, *INTEGERS,
    *TEXTS,
)  # fmt: skip
_BACKBONES = (
    "resnet18",
    "vgg19",
    "resnest269e",
    "vit_base_patch16_224",
    "resnet18.gone",
    "test_vit",
)
_ASKED = (
    b"cbuiltins\nbytearray\n", b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nTensor\n",
    b"ccollections\nCounter\n", b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nDoubleStorage\n",
    b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n", b"ctorch\nQInt8Storage\n",
)  # fmt: skip


@cache
def files() -> dict[str, bytes]:
    """A sound checkpoint of the smallest network there is."""
    import torch

    from trainables.configs import edited
    from trainables.pdnet import PDNetSystem
    from trainables.pdnet.config import tiny
    from trainables.resuming import Progress, save_checkpoint
    from trainables.steps import learner

    values = {"network": "nnunet", "nnunet.features": 1, "samples.input_size": 32}
    system, config = PDNetSystem(), edited(tiny(), values)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = system.model(config)
    own = learner(system, config, system.recipe(config)[0], model, torch.device("cpu"))
    torch.stack([one.sum() for one in model.parameters()]).sum().backward()  # type: ignore[no-untyped-call]
    own.optimizers[0].step()
    progress = Progress(
        epoch=1, in_phase=1, best_epoch=1, best_value=0.5, best_model=model.state_dict(),
        history=[{"epoch": 1.0, "train_loss": 0.25}],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), system, config, progress, own)
        return {one.name: one.read_bytes() for one in sorted(Path(folder).iterdir())}


def write(chance: Random, folder: Path) -> None:
    """A checkpoint with one of its files damaged."""
    content = dict(files())
    damage = chance.choice((_run, _run, _bytes, _members, _pickle, _pickle, _tensors, _tensors))
    name = "run.json" if damage is _run else chance.choice(("best.pt", "best.pt", "last.pt"))
    content[name] = damage(content[name], chance)
    for name, whole in content.items():
        (folder / name).write_bytes(whole)


def _run(whole: bytes, chance: Random) -> bytes:
    if chance.random() < 0.2:
        return mutate(whole, chance, front=len(whole))
    run = json.loads(whole)
    for _ in range(chance.choice((1, 1, 1, 2))):
        of = run if chance.random() < 0.1 else run["config"]
        name = chance.choice(list(of) or ["system"])
        kind = chance.choice(("value", "value", "value", "network", "drop", "rename"))
        if kind == "value":
            of[name] = chance.choice(_VALUES)
        elif kind == "network" and isinstance(run.get("config"), dict):
            run["config"] |= {
                "network": "pdnet", "model.backbone.width": 1.0,
                "model.backbone.name": chance.choice(_BACKBONES),
                "model.features": chance.choice((1, 64, 1024)),
            }  # fmt: skip
        else:
            value = of.pop(name)
            if kind == "rename":
                of[chance.choice(TEXTS)] = value
        if not isinstance(run.get("config"), dict):
            break
    return json.dumps(run).encode()


def _bytes(whole: bytes, chance: Random) -> bytes:
    return mutate(whole, chance, others=[files()["best.pt"], files()["last.pt"]], front=len(whole))


def _members(whole: bytes, chance: Random) -> bytes:
    members = _unpacked(whole)
    name = chance.choice(list(members))
    kind = chance.choice(("packed", "bomb", "twice", "gone", "cut", "named", "swapped", "more"))
    if kind in ("packed", "bomb"):
        members[name] = bytes(1 << 24) if kind == "bomb" else members[name]
        return _packed(members, zipfile.ZIP_DEFLATED)
    if kind == "twice":
        return _packed(members, twice=name)
    if kind == "swapped":
        other = chance.choice(list(members))
        members[name], members[other] = members[other], members[name]
    elif kind == "more":
        root = name.partition("/")[0]
        members[root + chance.choice(("/constants.pkl", "/data/999", "/../a"))] = b"a"
    else:
        content = members.pop(name)
        if kind == "cut":
            members[name] = content[: chance.randrange(len(content) + 1)]
        elif kind == "named":
            members[name + chance.choice(("x", "/", "\0"))] = content
    return _packed(members) if members else b""


def _pickle(whole: bytes, chance: Random) -> bytes:
    members = _unpacked(whole)
    name = next(one for one in members if one.endswith("data.pkl"))
    pickled = members[name]
    if chance.random() < 0.4:
        for asked in (b"ctorch\nFloatStorage\n", b"ccollections\nOrderedDict\n"):
            if chance.random() < 0.7:
                pickled = pickled.replace(asked, chance.choice(_ASKED), 1)
    else:
        pickled = mutate(pickled, chance, front=len(pickled))
    return _packed(members | {name: pickled})


def _tensors(whole: bytes, chance: Random) -> bytes:
    """The content is another, and saved as torch saves it."""
    import torch

    content = torch.load(io.BytesIO(whole), weights_only=True)
    of, key = content, chance.choice(("model", chance.choice(list(content))))
    while isinstance(of[key], dict | list) and of[key] and chance.random() < 0.9:
        of = of[key]
        key = chance.choice(list(of)) if isinstance(of, dict) else chance.randrange(len(of))
    old = of[key]
    if isinstance(old, torch.Tensor) and chance.random() < 0.9:
        of[key] = chance.choice(_OTHERS)(old)
    else:
        of[key] = chance.choice((*_VALUES, torch.ones(2)))
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _quantised(old: Any) -> Any:
    import torch

    return torch.quantize_per_tensor(old.float(), 0.1, 0, torch.quint8)


_OTHERS = (
    lambda old: old.double(), lambda old: old.half(), lambda old: old.long(),
    lambda old: old.to("meta"), lambda old: old.float().to_sparse(), lambda old: old[None],
    lambda old: old.float() * float("nan"), lambda old: old.float() / 0,
    lambda old: old.flatten()[:1].expand(1 << 40), lambda old: old * 1j, _quantised,
    lambda old: old.flatten()[:1].expand(old.shape), lambda old: old.new_zeros((0,)),
)  # fmt: skip


def _unpacked(whole: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, twice: str = "") -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # of the name that comes twice
        for name, content in members.items():
            for _ in range(1 + (name == twice)):
                archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def read(folder: Path) -> tuple[int, list[str]]:
    """How many of the three ways to read a checkpoint accept it, and why the others do not."""
    import torch

    from lesions import InputError
    from trainables.checkpoint import load_best, read_history, read_score

    accepted, reasons = 0, []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for look in (lambda at: load_best(at, torch.device("cpu")), read_score, read_history):
            try:
                look(folder)
                accepted += 1
            except InputError as error:
                reasons.append(error.reason)
    assert not warned, [str(one.message) for one in warned]
    return accepted, reasons
