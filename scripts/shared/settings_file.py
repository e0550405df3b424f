"""Settings of a training in a file: a run's config.json, or TOML by hand; as flags, and back.

A file holds flags by their names with underscores: `learning_rate = 1e-3`. It stands above a preset
and below the flags that are typed.
"""

import argparse
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sidestep.agents import RunConfig
from sidestep.agents.environments import check_module_of
from sidestep.scripts.shared.modules import NAMED, import_named
from sidestep.scripts.shared.words import did_you_mean
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.folder import modules_of
from sidestep.sequence.fitting.records import check_entry, read_record, read_regular, shown

MOST_TOML = 2**20
"""Bytes of a TOML file that is read."""
NO_SETTINGS = ("config",)
"""Flags that a file cannot hold."""


def config_flag(args: list[str]) -> Path | None:
    """The file that `--config` names among a command's words; None: there is no such flag."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", type=Path)
    try:
        return parser.parse_known_args(args)[0].config  # type: ignore[no-any-return]
    except argparse.ArgumentError:  # no word after it: whoever reads the flags says so
        return None


def read_settings(path: Path) -> dict[str, Any]:
    """Read settings by their flags' names with underscores, `learner` among them where it is told.

    The modules that the file notes are imported: they register what its settings name.

    Args:
        path: a run's config.json, the run's folder, or TOML, in tables of any name or in none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no JSON or TOML, the run of another command, a setting twice, or modules that
            cannot be imported.
    """
    path = path / "config.json" if path.is_dir() else path
    if not path.exists():
        raise FileNotFoundError(f"config: expected a file that is there, got {path}")
    if path.suffix not in (".json", ".toml"):
        raise ValueError(f"config: expected a config.json or a .toml file, got {path}")
    if path.suffix == ".toml":
        settings = _read_toml(path)
        _import_all(modules_of(settings, str(path)), path)
        return settings
    record = read_record(path)
    _import_all(modules_of(record, str(path)), path)
    run = RunConfig.of(record, str(path))
    check_module_of(run.env, str(path), NAMED)
    return settings_of(run)


def _import_all(modules: tuple[str, ...], path: Path) -> None:
    for name in modules:
        try:
            import_named(name)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    """The entries of a TOML file, those in its tables too."""
    try:
        record = tomllib.loads(read_regular(path, MOST_TOML).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: expected TOML, got {error}") from None
    settings: dict[str, Any] = {}
    for name, value in record.items():
        for key, entry in value.items() if isinstance(value, dict) else [(name, value)]:
            if key in settings:
                raise ValueError(f"{path}: expected each setting once, got {key} twice")
            settings[key] = entry
    return settings


def settings_of(run: RunConfig) -> dict[str, Any]:
    """A run's configuration as settings by their flags' names; the inverse of `read_settings`."""
    agent, env = asdict(run.agent), asdict(run.env)
    network = agent.pop("network")
    env_settings = {"env": env.pop("id"), "env_kwargs": env.pop("kwargs"), **env}
    settings = {"learner": run.learner, **env_settings, **network, **agent, **asdict(run.training)}
    return settings | ({"modules": run.modules} if run.modules else {})


def write_settings(path: Path, settings: Mapping[str, Any], remark: str = "") -> None:
    """Write settings as TOML, which `--config` takes.

    Args:
        path: of the file, completely written or not at all.
        settings: numbers, words, truth values, None, and lists of these, by name.
        remark: words above them, in lines that begin with #.

    Raises:
        TypeError: a value of another type.
        OSError: the file cannot be written.
    """
    write_atomically(path, settings_text(settings, remark).encode())


def settings_text(settings: Mapping[str, Any], remark: str = "") -> str:
    """Settings as the text of a TOML file; arguments as of `write_settings`."""
    lines = [f"# {line}".rstrip() for line in remark.splitlines()]
    return "".join(f"{line}\n" for line in lines) + "".join(
        f"{name} = {_toml(name, value)}\n" for name, value in settings.items()
    )


def _toml(name: str, value: Any) -> str:
    """A value as TOML writes it; None, which it does not know, as the flag's word."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str) or value is None:
        return _quoted("None" if value is None else value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(name, part) for part in value)}]"
    raise TypeError(f"{name}: expected a number, a word, a truth value or a list, got {value!r}")


def _quoted(word: str) -> str:
    """A basic string: quotes, backslashes and what a terminal would obey are escaped."""
    word = word.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", word) + '"'


def words_of(
    settings: Mapping[str, Any], flags: type[Any], source: str, others: Mapping[str, type[Any]]
) -> list[str]:
    """A file's settings as words of a command, to stand before those that are typed.

    Args:
        settings: by name, `learner` left out.
        flags: the dataclass of the command's flags.
        source: the file, for the error.
        others: the flags of other learners, by their names.

    Raises:
        ValueError: a setting that is no flag of the command, or a value of another type.
    """
    known, words = fields_of(flags), list[str]()
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"{source}: {_unknown(name, list(known), others)}")
        words += _flag(name, _checked(value, known[name], f"{source}: {name}"))
    return words


def _unknown(name: str, known: list[str], others: Mapping[str, type[Any]]) -> str:
    of = [learner for learner, flags in others.items() if name in fields_of(flags)]
    told = f", which is one of {' and '.join(of)}" if of else did_you_mean(name, known)
    return f"expected settings by their flags' names, got {shown(name)}{told}"


def fields_of(flags: type[Any]) -> dict[str, Any]:
    """The types of all flags by their names, those of configurations inside too."""
    found: dict[str, Any] = {}
    hints = get_type_hints(flags)
    for field in fields(flags):
        kind = hints[field.name]
        inner = isinstance(kind, type) and is_dataclass(kind)
        found |= fields_of(kind) if inner else {field.name: kind}
    return {name: kind for name, kind in found.items() if name not in NO_SETTINGS}


def _checked(value: Any, kind: Any, name: str) -> Any:
    """A value of a file as one of the flag's type; 1e6 is a whole number too, and "None" none."""
    kinds = get_args(kind) if get_origin(kind) is not tuple else ()
    if get_origin(kind) is Literal:
        if value not in kinds:
            close = did_you_mean(value, kinds) if isinstance(value, str) else ""
            got = f"{shown(value)}{close}"
            raise ValueError(f"{name}: expected one of {', '.join(map(str, kinds))}, got {got}")
        return value
    if type(None) in kinds and value in ("None", None):
        return None
    if int in (kind, *kinds) and isinstance(value, float) and value.is_integer():
        value = int(value)
    if str in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # seeds = 10
    if Path in (kind, *kinds) and isinstance(value, str):
        value = Path(value)
    value = tuple(value) if isinstance(value, list) else value
    check_entry(value, kind, name)
    return value


def _flag(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", *map(str, value if isinstance(value, tuple) else [value])]
