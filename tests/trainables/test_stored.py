"""Files of tensors that are damaged or malicious: refused by name, before they take anything."""

import json
import os
import pickle
import struct
import subprocess
import sys
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lesions import InputError
from tests.trainables.archives import asking, copying, inflating, repacked, saved
from trainables.backbones import BackboneConfig, backbone
from trainables.configs import edited, flatten
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.stored import check_tensors, read_state_dict, read_torch

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = {"network": "nnunet", "nnunet.features": 1, "samples.input_size": 32}
MOST_MEMORY = 400 << 10  # kB beyond what the imports take
LOOK = f"""
import resource, sys
from pathlib import Path
import torch
from lesions import InputError
from trainables.checkpoint import load_best
resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
def taken():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = taken()
for folder in sys.argv[1:]:
    try:
        load_best(Path(folder), torch.device("cpu"))
    except InputError as error:
        print(error)
    assert taken() - before < {MOST_MEMORY}, f"{{folder}} took {{taken() - before >> 10}} MB"
"""


def checkpoint(folder: Path, config: PDNetConfig | None = None) -> Path:
    """The best model of a network of a few kB, beside a run.json that may tell of another."""
    folder.mkdir()
    own = edited(tiny(), SMALLEST)
    weights = PDNetSystem().model(own).state_dict()
    (folder / "best.pt").write_bytes(saved({"epoch": 1, "dice": 0.5, "model": dict(weights)}))
    run = {"system": "pdnet", "config": flatten(config or own)}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """Files of a few kB that asked for 1 to 20 GB."""
    inflating(checkpoint(tmp_path / "inflated") / "best.pt", 1 << 30)
    calls = {"bytes": asking("builtins bytearray", 1 << 30), "copies": copying(2000, 20_000)}
    for name, pickled in calls.items():
        repacked(checkpoint(tmp_path / name) / "best.pt", data=pickled)
    wide = {"model.features": 1024, "model.rates": [1] * 16}
    checkpoint(tmp_path / "wide", edited(paper(), wide))
    checkpoint(tmp_path / "deep", edited(paper(), {"model.backbone.name": "resnetv2_101x3_bit"}))
    folders = [tmp_path / name for name in ("inflated", *calls, "wide", "deep")]
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, *map(str, folders)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert looked.returncode == 0, looked.stderr
    said = ["packed members", "asks for builtins.bytearray", "calls OrderedDict", "other weights"]
    for folder, words, line in zip(
        folders, [*said, "other weights"], looked.stdout.splitlines(), strict=True
    ):
        assert line.startswith(f"{folder}/best.pt: ")
        assert words in line


class Written:
    """Its pickle would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_would_run_code_runs_none(zipped: bool, tmp_path: Path) -> None:
    file, written = tmp_path / "weights.pth", tmp_path / "written"
    content = {"state_dict": Written(written)}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError) as caught:
        backbone(BackboneConfig(name="resnest14d", weights_file=file), 1)
    said = "cannot be read as weights of resnest14d: asks for posix.system, which is no part of it"
    assert str(caught.value) == f"{file}: {said}"
    assert not written.exists()
    pickle.loads(pickle.dumps(Written(written)))
    assert written.exists(), "it was a pickle that writes"


WEIGHTS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.count": torch.tensor(3)}
WRAPPERS: dict[str, Any] = {
    "bare": lambda of: of,
    "state_dict": lambda of: {"state_dict": of, "epoch": 3},
    "model": lambda of: {"model": of, "optimizer": {}},
    "exponential average": lambda of: {"state_dict": {}, "state_dict_ema": of},
    "timm's": lambda of: {"state_dict": of, "args": Namespace(lr=0.1), "version": 2},
    "a parallel module's": lambda of: {f"module.{name}": one for name, one in of.items()},
    "ordered": OrderedDict,
    "parameters": lambda of: {name: torch.nn.Parameter(one, False) for name, one in of.items()},
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_usual_wrappers(wrapper: str, zipped: bool, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    content = WRAPPERS[wrapper](WEIGHTS)
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    found = read_state_dict(file)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "no tensors by name"),
        ({"state_dict": {}}, "no tensors by name"),
        ([torch.ones(2)], "no tensors by name"),
        ({"a": [1.0]}, "holds 'a', which is no tensor by name"),
        ({3: torch.ones(2)}, "holds '3', which is no tensor by name"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a has NaN or infinite numbers"),
        ({"a": torch.tensor([1.0, -float("inf")]).half()}, "a has NaN or infinite numbers"),
        ({"a": torch.ones(1).expand(1 << 40)}, "a repeats fewer numbers than its shape has"),
        ({"a": torch.ones(2, device="meta")}, "asks for torch._utils._rebuild_meta_tensor"),
        ({"a": torch.ones(2).to_sparse()}, "asks for torch._utils._rebuild_sparse_tensor"),
        ({"a": torch.ones(2) * 1j}, "a is no plain tensor"),
    ],
)  # fmt: skip
def test_what_is_no_weights(content: Any, says: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(content, file)
    with pytest.raises(InputError, match="cannot be read as weights of resnest14d: ") as caught:
        backbone(BackboneConfig(name="resnest14d", weights_file=file), 1)
    assert says in str(caught.value)


def test_nan_weights_of_safetensors_are_named(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"fine": torch.ones(2), "fc.bias": torch.tensor([float("nan")])}, file)
    with pytest.raises(InputError, match=r"fc\.bias has NaN or infinite numbers"):
        read_state_dict(file)


def test_tensors_that_share_numbers_take_no_more_than_the_file() -> None:
    shared = torch.ones(1000)
    with pytest.raises(InputError, match="tensors of 39600 bytes, more than the file has"):
        check_tensors({str(index): shared[index : index + 990] for index in range(10)}, 5000)


def test_one_tensor_by_several_names_is_stored_once() -> None:
    """As nnU-Net's network has each of its weights."""
    shared = torch.ones(1000)
    names = {str(index): shared for index in range(10)}
    assert check_tensors(names, 5000) is names
    shared[7] = float("inf")
    with pytest.raises(InputError, match="9 has NaN or infinite numbers"):
        check_tensors(names, 5000)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_pipe_is_refused_at_once(ending: str, tmp_path: Path) -> None:
    pipe = tmp_path / f"pipe{ending}"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"pipe.*not a regular file"):
        backbone(BackboneConfig(name="resnest14d", weights_file=pipe), 1)


def _commented(whole: bytes) -> bytes:
    return whole[:-2] + b"\1\0a"


def _pointing_elsewhere(whole: bytes) -> bytes:
    return whole[:-34] + struct.pack("<Q", 64) + whole[-26:]


def _prefixed(whole: bytes) -> bytes:
    return whole[:200] + whole


@pytest.mark.parametrize("damage", [_commented, _pointing_elsewhere, _prefixed])
def test_an_archive_that_two_readers_may_read_differently(damage: Any, tmp_path: Path) -> None:
    file = tmp_path / "best.pt"
    file.write_bytes(damage(saved(WEIGHTS)))
    with pytest.raises(InputError, match=r"no plain list of its members|is damaged"):
        read_torch(file)


def test_members_of_one_name(tmp_path: Path) -> None:
    """The first or the last of them: each reader has its own answer."""
    file = tmp_path / "best.pt"
    whole = saved({"a": torch.ones(2), "b": torch.zeros(2)})
    file.write_bytes(whole.replace(b"archive/data/1", b"archive/DATA/0"))
    with pytest.raises(InputError, match="two members of one name"):
        read_torch(file)
