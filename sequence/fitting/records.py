"""Files as they are read back: regular, not too long, JSON whose entries have their types.

A file may be damaged, another program's, or made by somebody to do harm. Whatever is not as this
package writes it is a ValueError that names the file, what was expected and what came.
"""

import json
import stat
from collections.abc import Mapping
from dataclasses import fields
from inspect import formatannotation
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

MOST_JSON = 64 * 2**20
"""Bytes of a JSON file that is read."""


def read_regular(path: Path, most: int) -> bytes:
    """Read a file whole, if it is one that ends.

    Args:
        path: of the file.
        most: bytes that it may have; nothing is read of a longer one.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: a folder, pipe or device, or a longer file.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{path}: expected a regular file, got a folder, pipe or device")
    if about.st_size <= most:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) <= most:
            return data
    raise ValueError(f"{path}: expected at most {most:,} bytes, got more")


def check_named(path: Path | None) -> Path | None:
    """Refuse the path that a file names where it leads to a pipe or device, which may never end.

    Raises:
        ValueError: it is there and no regular file.
    """
    if path is not None and path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a regular file, got a folder, pipe or device")
    return path


def parse_json(data: bytes | str, source: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is none, or too deep or too large in its numbers to be read.
    """
    try:
        return json.loads(data if isinstance(data, str) else data.decode("utf-8"))
    except RecursionError:
        raise ValueError(f"{source}: expected JSON, got one nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{source}: expected JSON, got {error}") from None


def read_record(path: Path, source: str | None = None) -> dict[str, Any]:
    """Read a JSON file that holds a dict.

    Raises:
        OSError: it cannot be read.
        ValueError: no regular file, too long, or something else in it.
    """
    source = str(path) if source is None else source
    record = parse_json(read_regular(path, MOST_JSON), source)
    if not isinstance(record, dict):
        raise ValueError(f"{source}: expected a dict of entries, got {shown(record)}")
    return record


def entries(record: Any, source: str, **kinds: Any) -> dict[str, Any]:
    """Check that a record has these entries, each of its type; it may have others.

    Args:
        record: as it was read.
        source: begins the error.
        kinds: for each name a type as in an annotation.

    Raises:
        ValueError: no dict, an entry is missing, or of another type.
    """
    if not isinstance(record, dict):
        raise ValueError(f"{source}: expected {', '.join(kinds)}, got {shown(record)}")
    for name, kind in kinds.items():
        if name not in record:
            raise ValueError(f"{source}: expected an entry {name!r}, got none")
        check_entry(record[name], kind, f"{source}: {name}")
    return record


def check_entry(value: Any, kind: Any, name: str) -> None:
    """Raise ValueError unless `value` is of the annotated type; True and False are no numbers."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    try:
        check_type(value, kind, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        pass
    else:
        if not isinstance(value, bool) or bool in kinds:
            return
    raise ValueError(f"{name}: expected {formatannotation(kind)}, got {shown(value)}")


def build_config(kind: Any, values: Any, source: str) -> Any:
    """Make a configuration dataclass from the dict that was written; lists become tuples.

    A field that is not in `values` is younger than the file: it takes the value `before` of its
    metadata, which is what the package did when it had no such field, or else its default.

    Raises:
        ValueError: fields of another version, values of another type, or out of their range.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{source}: expected fields of {kind.__name__}, got {shown(values)}")
    unknown = sorted(values.keys() - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"{source}: expected fields of {kind.__name__}, got {', '.join(unknown)}")
    made, hints = {}, get_type_hints(kind)
    for field in fields(kind):
        if field.name in values:
            value = values[field.name]
            made[field.name] = tuple(value) if isinstance(value, list) else value
            check_entry(made[field.name], hints[field.name], f"{source}: {field.name}")
        elif "before" in field.metadata:
            made[field.name] = field.metadata["before"]
    try:
        return kind(**made)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{source}: {error}") from None


def shown(value: Any) -> str:
    """A value in an error: its beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
