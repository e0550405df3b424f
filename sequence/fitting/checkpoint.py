"""Checkpoints: tensors in safetensors, facts in JSON, written atomically; loading runs no code.

A checkpoint is `checkpoint-000123456.json` and the tensors' file that it names, with its size and
digest: `checkpoint-000123456-1a2b3c4d.safetensors`, the letters being of the digest. The JSON has a
digest of itself too. It is written last, and replaced at once: a kill at any moment leaves every
checkpoint as it was, or new. Digests tell damage, not malice: what is read is checked by name, type
and shape as well (`stored`).
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from .records import entries, read_record, read_regular

FORMAT = 2
"""Of format 1, which is still read, the JSON has no digest of itself."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError that names no file, as that of a full disk, the name of `path`."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` completely or not at all.

    Raises:
        OSError: a full or read-only disk, with the file's name; what was at `path` is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path), temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with naming(path):
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
    digest = hashlib.sha256(data).hexdigest()
    file, path = folder / f"{name}-{digest[:8]}.safetensors", folder / f"{name}.json"
    record = {"format": FORMAT, "tensors": file.name, "bytes": len(data), "sha256": digest, **facts}
    text = json.dumps({**record, "digest": facts_digest(record)}, indent=1) + "\n"
    former = [other for other in _tensor_files(path) if other != file]
    write_atomically(file, data)
    try:
        write_atomically(path, text.encode())
    except BaseException:
        if not _names(path, file):
            file.unlink(missing_ok=True)
        raise
    for other in former:
        other.unlink(missing_ok=True)
    return path


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint by the path of its JSON file.

    Raises:
        FileNotFoundError: one of the two files is missing.
        ValueError: truncated, changed, or of a newer format.
    """
    source = f"checkpoint {path.name}"
    record = entries(read_record(path, source), source, format=int)
    if not 1 <= record["format"] <= FORMAT:
        raise ValueError(
            f"{source}: expected format {FORMAT} or older, got {record['format']}; "
            "a newer sidestep wrote it"
        )
    missing = [key for key in ("tensors", "bytes", "sha256") if key not in record]
    if missing or Path(str(record["tensors"])).name != record["tensors"]:
        raise ValueError(f"{source}: expected tensors, bytes and sha256, got others")
    entries(record, source, bytes=int, sha256=str)
    if record["format"] > 1 or "digest" in record:
        entries(record, source, digest=str)
        if record["digest"] != facts_digest(record):
            raise ValueError(f"{source}: expected the entries of its digest, got changed ones")
    file = path.with_name(record["tensors"])
    size = file.stat().st_size
    data = read_regular(file, size) if size == record["bytes"] else b""
    if size != record["bytes"] or hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise ValueError(
            f"checkpoint {file.name}: expected {record['bytes']} bytes as its JSON says, "
            f"got {size} bytes or other ones; it is truncated or was changed"
        )
    try:
        return load_tensors(data), record
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"checkpoint {file.name}: expected safetensors, got {error!r}") from None


def facts_digest(record: Mapping[str, Any]) -> str:
    """What tells the entries of a checkpoint's JSON from others, the digest itself left out."""
    text = json.dumps({k: v for k, v in record.items() if k != "digest"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


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
    for file in _tensor_files(path):
        file.unlink(missing_ok=True)


def _tensor_files(path: Path) -> list[Path]:
    """The tensors' files of this checkpoint, those that a kill left over included."""
    return list(path.parent.glob(f"{path.stem}-{'[0-9a-f]' * 8}.safetensors"))


def _names(path: Path, file: Path) -> bool:
    """Whether the JSON at `path`, if any, belongs to this tensors' file."""
    return path.exists() and file.name.encode() in path.read_bytes()


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill in the middle of a checkpoint left: temporary and unnamed files."""
    for file in folder.glob(".*.tmp"):
        file.unlink(missing_ok=True)
    for file in folder.glob("checkpoint-*.safetensors"):
        if not file.with_name(f"{file.stem[:-9]}.json").exists():
            file.unlink(missing_ok=True)


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
