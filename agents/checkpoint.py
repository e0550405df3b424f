"""Checkpoints: tensors in safetensors, facts in JSON, written atomically; loading runs no code.

A checkpoint is two files of one name, `checkpoint-000123456.safetensors` and `.json`. The JSON is
written last and holds the size and digest of the tensors' file: without it there is no checkpoint,
so a kill at any moment leaves the earlier ones as they were.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

FORMAT = 1


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` completely or not at all.

    Raises:
        OSError: a full or read-only disk; what was at `path` is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def save_checkpoint(
    folder: Path, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> Path:
    """Write a checkpoint; see the module's text.

    Args:
        folder: of the run, which exists.
        name: without ending.
        tensors: what the future depends on.
        facts: JSON-serialisable.

    Returns:
        The path of the JSON file.
    """
    data = save_tensors({k: _storable(v) for k, v in tensors.items()})
    write_atomically(folder / f"{name}.safetensors", data)
    record = {
        "format": FORMAT,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **facts,
    }
    path = folder / f"{name}.json"
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
    return path


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint by the path of its JSON file.

    Raises:
        FileNotFoundError: one of the two files is missing.
        ValueError: truncated, changed, or of a newer format.
    """
    try:
        record = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"checkpoint {path.name}: expected JSON, got {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise ValueError(f"checkpoint {path.name}: expected an entry 'format', got none")
    if record["format"] > FORMAT:
        raise ValueError(
            f"checkpoint {path.name}: expected format {FORMAT} or older, got {record['format']}; "
            "a newer sidestep wrote it"
        )
    file = path.with_suffix(".safetensors")
    data = file.read_bytes()
    if len(data) != record["bytes"] or hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise ValueError(
            f"checkpoint {file.name}: expected {record['bytes']} bytes as its JSON says, "
            f"got {len(data)} bytes or other ones; it is truncated or was changed"
        )
    try:
        return load_tensors(data), record
    except SafetensorError as error:
        raise ValueError(f"checkpoint {file.name}: expected safetensors, got {error}") from None


def latest_checkpoint(folder: Path) -> Path:
    """The JSON file of the run's last complete checkpoint.

    Raises:
        FileNotFoundError: there is none.
    """
    paths = sorted(folder.glob("checkpoint-*.json"))
    if not paths:
        raise FileNotFoundError(f"{folder}: expected a checkpoint-*.json in it, got none")
    return paths[-1]


def remove_checkpoint(path: Path) -> None:
    """Delete both files; the JSON first, so that never half of one is left to be read."""
    path.unlink(missing_ok=True)
    path.with_suffix(".safetensors").unlink(missing_ok=True)


def from_arrays(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    """Numpy arrays as tensors that safetensors can hold; unsigned 64 bits as signed ones."""
    return {
        k: torch.from_numpy(v.view(np.int64) if v.dtype == np.uint64 else v)
        for k, v in arrays.items()
    }


def to_arrays(
    tensors: Mapping[str, Tensor], like: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, np.ndarray[Any, Any]]:
    """Back from `from_arrays`, with the types of `like`."""
    return {
        k: v.numpy().view(like[k].dtype) if k in like and like[k].dtype == np.uint64 else v.numpy()
        for k, v in tensors.items()
    }


def _storable(tensor: Tensor) -> Tensor:
    """Safetensors refuses views of shared memory."""
    return tensor.detach().cpu().contiguous().clone()
