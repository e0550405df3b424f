"""Checkpoints come back bit for bit, or not at all and with a clear word."""

import errno
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sidestep.sequence.fitting.checkpoint import (
    from_arrays,
    latest_checkpoint,
    load_checkpoint,
    remove_checkpoint,
    remove_leftovers,
    save_checkpoint,
    to_arrays,
    write_atomically,
)
from sidestep.sequence.fitting.log import RunLog, read_log


def tensors(seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    flat = torch.randn(12, generator=g)
    return {
        "weight": flat[:6].view(2, 3),
        "rest": flat[6:],  # a view of the same memory
        "transposed": torch.randn(3, 5, generator=g).t(),
        "double": torch.randn(3, generator=g, dtype=torch.float64),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
        "flags": torch.tensor([True, False]),
        "bytes": torch.arange(256, dtype=torch.uint8),
        "count": torch.tensor(2**62 + seed),
        "nothing": torch.empty(0, 3),
    }


def bits(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return tensor.dtype, tuple(tensor.shape), tensor.contiguous().numpy().tobytes()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip_bit_for_bit(tmp_path: Path) -> None:
    saved = tensors()
    path = save_checkpoint(tmp_path, "checkpoint-000000000007", saved, {"steps": 7, "best": None})
    assert path == tmp_path / "checkpoint-000000000007.json"
    loaded, facts = load_checkpoint(path)
    assert {k: bits(v) for k, v in loaded.items()} == {k: bits(v) for k, v in saved.items()}
    assert facts["steps"] == 7 and facts["best"] is None and facts["format"] == 2
    assert len(files(tmp_path)) == 2
    assert facts["tensors"] in files(tmp_path)


def test_arrays_round_trip() -> None:
    arrays = {
        "seed": np.array([0, 1, 2**64 - 1], dtype=np.uint64),
        "cell": np.arange(12, dtype=np.int16).reshape(3, 4),
        "ended": np.array([True, False]),
    }
    back = to_arrays(from_arrays(arrays), arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].tolist() == array.tolist()


def test_overwriting_leaves_one_checkpoint_of_that_name(tmp_path: Path) -> None:
    for seed in range(3):
        save_checkpoint(tmp_path, "best", tensors(seed), {"steps": seed})
        assert len(files(tmp_path)) == 2
    loaded, facts = load_checkpoint(tmp_path / "best.json")
    assert int(loaded["count"]) == 2**62 + 2 and facts["steps"] == 2


def fail_on(monkeypatch: pytest.MonkeyPatch, call: int, name: str, number: int) -> None:
    """Let the `call`-th call of os.fsync or Path.replace fail."""
    count = 0
    owner: Any = os if name == "fsync" else Path
    real = getattr(owner, name)

    def broken(*args: Any) -> Any:
        nonlocal count
        count += 1
        if count == call:
            raise OSError(number, os.strerror(number))
        return real(*args)

    monkeypatch.setattr(owner, name, broken)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("call", [1, 2])
def test_a_failure_at_any_point_leaves_the_former_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, name: str, number: int
) -> None:
    save_checkpoint(tmp_path, "best", tensors(1), {"steps": 1})
    before = files(tmp_path)
    with monkeypatch.context() as patch:
        fail_on(patch, call, name, number)
        with pytest.raises(OSError, match=os.strerror(number)):
            save_checkpoint(tmp_path, "best", tensors(2), {"steps": 2})
    assert files(tmp_path) == before
    loaded, facts = load_checkpoint(tmp_path / "best.json")
    assert facts["steps"] == 1 and bits(loaded["weight"]) == bits(tensors(1)["weight"])
    save_checkpoint(tmp_path, "best", tensors(2), {"steps": 2})  # the disk has room again
    assert load_checkpoint(tmp_path / "best.json")[1]["steps"] == 2


def test_a_kill_between_the_two_files_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, "best", tensors(1), {"steps": 1})

    class Killed(BaseException):
        pass

    def kill(path: Path, data: bytes) -> None:
        if path.suffix == ".json":
            raise Killed
        write_atomically(path, data)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("sidestep.sequence.fitting.checkpoint.write_atomically", kill)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # a dead process cleans nothing up
        save_checkpoint(tmp_path, "best", tensors(2), {"steps": 2})
    assert len(files(tmp_path)) == 3
    assert load_checkpoint(tmp_path / "best.json")[1]["steps"] == 1
    save_checkpoint(tmp_path, "best", tensors(3), {"steps": 3})
    assert len(files(tmp_path)) == 2


def test_a_full_disk_leaves_what_was_written_before(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_atomically(path, b"old")
    (tmp_path / "sub").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "missing" / "config.json", b"new")
    with pytest.raises(OSError):
        write_atomically(tmp_path / "sub", b"new")  # a folder is in the way
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["config.json", "sub"]


def test_a_full_disk_s_error_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "checkpoint-000000000001.json"
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(path, b"x")
    assert str(path) in str(caught.value) and caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    full_device = Path("/dev/full")
    if full_device.exists():
        (tmp_path / "metrics.jsonl").symlink_to(full_device)
        with pytest.raises(OSError, match=r"No space left on device.*metrics\.jsonl"):
            RunLog(tmp_path).write({"steps": 1})


def test_a_log_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(ValueError, match=r"metrics\.jsonl: expected a regular file"):
        RunLog(tmp_path).position()
    with pytest.raises(ValueError, match=r"metrics\.jsonl: expected a regular file"):
        read_log(tmp_path)


def test_what_a_kill_left_over_is_removed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "checkpoint-000000000001", tensors(1), {})
    save_checkpoint(tmp_path, "best", tensors(2), {})
    (tmp_path / "config.json").write_text("{}")
    before = files(tmp_path)
    (tmp_path / ".best.json.123.tmp").write_text("half")
    (tmp_path / "checkpoint-000000000002-0a1b2c3d.safetensors").write_text("no JSON came")
    remove_leftovers(tmp_path)
    assert files(tmp_path) == before


def test_the_latest_is_the_one_of_most_steps(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a checkpoint-\*\.json in it, got none"):
        latest_checkpoint(tmp_path)
    paths = [save_checkpoint(tmp_path, f"checkpoint-{n:012d}", tensors(), {}) for n in (9, 100, 20)]
    save_checkpoint(tmp_path, "best", tensors(), {})
    assert latest_checkpoint(tmp_path) == paths[1]
    remove_checkpoint(paths[1])
    assert latest_checkpoint(tmp_path) == paths[2]
    assert len(files(tmp_path)) == 6


def edit(path: Path, **changes: Any) -> None:
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in record.items() if v is not None}))


DAMAGES: dict[str, Any] = {
    "truncated": lambda path, file, data: file.write_bytes(data[:-5]),
    "empty": lambda path, file, data: file.write_bytes(b""),
    "changed": lambda path, file, data: file.write_bytes(data[:-1] + bytes([data[-1] ^ 1])),
    "missing": lambda path, file, data: file.unlink(),
    "newer": lambda path, file, data: edit(path, format=3),
    "no format": lambda path, file, data: edit(path, format=None),
    "no digest": lambda path, file, data: edit(path, sha256=None),
    "elsewhere": lambda path, file, data: edit(path, tensors="../" + file.name),
    "not JSON": lambda path, file, data: path.write_text(path.read_text()[:40]),
    "not text": lambda path, file, data: path.write_bytes(bytes([255, 254, 0])),
    "list": lambda path, file, data: path.write_text("[1]"),
}


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("truncated", ValueError, r"expected \d+ bytes as its JSON says, got \d+ bytes"),
        ("empty", ValueError, "got 0 bytes"),
        ("changed", ValueError, "it is truncated or was changed"),
        ("missing", FileNotFoundError, "No such file"),
        ("newer", ValueError, "expected format 2 or older, got 3; a newer sidestep wrote it"),
        ("no format", ValueError, "expected an entry 'format', got none"),
        ("no digest", ValueError, "expected tensors, bytes and sha256, got others"),
        ("elsewhere", ValueError, "expected tensors, bytes and sha256, got others"),
        ("not JSON", ValueError, "expected JSON, got"),
        ("not text", ValueError, "expected JSON, got"),
        ("list", ValueError, r"expected a dict of entries, got \[1\]"),
    ],
)
def test_damage_is_named(tmp_path: Path, kind: str, error: Any, message: str) -> None:
    path = save_checkpoint(tmp_path, "checkpoint-000000000007", tensors(), {})
    file = path.with_name(json.loads(path.read_text())["tensors"])
    DAMAGES[kind](path, file, file.read_bytes())
    with pytest.raises(error, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_loading_knows_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_checkpoint(tmp_path, "best", tensors(), {})

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickle was called")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert "weight" in load_checkpoint(path)[0]
    source = Path(sys.modules[load_checkpoint.__module__].__file__ or "").read_text()
    assert "import pickle" not in source
