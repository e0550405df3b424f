"""A space of settings: what space.toml says, checked, and its points as words of a command."""

import json
import math
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from sidestep.agents import NetworkConfig, TrainingConfig
from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.scripts.shared.words import did_you_mean
from sidestep.sequence.fitting.records import read_regular, shown

MOST_BYTES = 2**20
"""Of a space's file."""
OF_TRAINING = ("num_envs",)
"""Fields of a training that may differ between trials; the others are how trials are compared."""
FORMS = "{log = [a, b]}, {low = a, high = b}, {int = [a, b]}, {choices = [...]} or a plain value"
Scalar = str | int | float | bool
Point = dict[str, Any]
"""Values by the names of parameters."""


class Parameter(NamedTuple):
    """What is looked for in one field."""

    name: str
    kind: str
    """log and linear: a number between low and high; int and log-int: a whole one; choices."""
    low: float
    high: float
    choices: tuple[Any, ...] = ()

    @property
    def ends(self) -> list[Any]:
        """The values by which it is checked: the lowest and highest, or every choice."""
        return list(self.choices) if self.kind == "choices" else [self.low, self.high]

    @property
    def labels(self) -> list[Scalar]:
        """The choices as a study keeps them: lists, and values of several types, as text."""
        plain = len({type(choice) for choice in self.choices}) == 1
        if plain and isinstance(self.choices[0], Scalar):
            return list(self.choices)
        return [json.dumps(choice) for choice in self.choices]

    def value_of(self, stored: Any) -> Any:
        """The value that a study keeps as `stored`."""
        if self.kind != "choices":
            return stored
        return self.choices[self.labels.index(stored)]


class Space(NamedTuple):
    """What differs between trials, and what is the same in all."""

    parameters: tuple[Parameter, ...]
    fixed: dict[str, Any]

    def point_of(self, stored: Point) -> Point:
        """All settings of a trial, from what a study keeps of its parameters."""
        varied = {p.name: p.value_of(stored[p.name]) for p in self.parameters}
        return {**self.fixed, **varied}

    def record(self) -> dict[str, Any]:
        """What can be compared and kept as JSON."""
        of = {p.name: [p.kind, *p.ends] for p in self.parameters}
        return json.loads(json.dumps({**self.fixed, **of}))  # type: ignore[no-any-return]

    def corners(self) -> list[tuple[str, Point]]:
        """Points by which a space is checked: each parameter at its ends, the others at a first."""
        first = {**self.fixed, **{p.name: p.ends[0] for p in self.parameters}}
        made = [(p.name, {**first, p.name: end}) for p in self.parameters for end in p.ends]
        return made or [("", first)]


def words_of(point: Point) -> list[str]:
    """The words of `sidestep train` for a point: `--learning-rate 0.001 --last-action`."""
    words: list[str] = []
    for name, value in point.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list):
            words += [f"--{flag}", *map(str, value)]
        else:
            words += [f"--{flag}", str(value)]
    return words


def read_space(path: Path, learner: str) -> Space:
    """Read a space for a learner.

    Args:
        path: of a TOML file; its keys are names of fields of the learner's configuration, of its
            network's, or `num_envs`.
        learner: its name.

    Raises:
        OSError: the file cannot be read.
        ValueError: no TOML, a name that is no field's, or a range that is none.
    """
    if not path.exists():
        raise FileNotFoundError(f"space: expected a TOML file that is there, got {path}")
    try:
        record = tomllib.loads(read_regular(path, MOST_BYTES).decode("utf-8"))
    except ValueError as error:
        if isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):
            raise ValueError(f"{path}: expected TOML, got {error}") from None
        raise
    kinds = kinds_of(learner)
    parameters, fixed = [], {}
    for name, value in record.items():
        if name not in kinds:
            raise ValueError(f"{path}: {_unknown(name, learner, kinds)}")
        if isinstance(value, dict):
            parameters.append(_parameter(name, value, kinds[name], f"{path}: {name}"))
        else:
            fixed[name] = value
    if not parameters:
        raise ValueError(f"{path}: expected at least one range or choice ({FORMS}), got none")
    return Space(tuple(parameters), fixed)


def kinds_of(learner: str) -> dict[str, Any]:
    """The fields that a space may name, and their annotated types."""
    config = LEARNERS[learner].config
    found: dict[str, Any] = {}
    for kind, names in ((config, None), (NetworkConfig, None), (TrainingConfig, OF_TRAINING)):
        hints = get_type_hints(kind)
        own = [field.name for field in fields(kind) if names is None or field.name in names]
        found |= {name: hints[name] for name in own if not is_dataclass(hints[name])}
    return found


def _unknown(name: str, learner: str, known: dict[str, Any]) -> str:
    """What is wrong with a name."""
    if name in {field.name for field in fields(TrainingConfig)}:
        flag = f"--{name.replace('_', '-')}"
        return f"expected what may differ between trials, got {name}: {flag} is for all of them"
    near = did_you_mean(name, known)
    return f"expected fields of {learner} or of its network, or num_envs, got {name!r}{near}"


def _parameter(name: str, told: dict[str, Any], kind: Any, where: str) -> Parameter:
    """A parameter from its table.

    Raises:
        ValueError: another form, or a range that goes with no such field.
    """
    keys = set(told)
    if keys == {"choices"}:
        return Parameter(name, "choices", math.nan, math.nan, _choices(told["choices"], where))
    numbers = {int, float} & set(_parts(kind))
    if keys in ({"int"}, {"int", "log"}) and told.get("log", True) in (True, False):
        log = bool(told.get("log", False))
        _check_kind(bool(numbers), where, "a number for {int = [a, b]}", kind)
        low, high = _ends(told["int"], where, whole=True, log=log)
        return Parameter(name, "log-int" if log else "int", low, high)
    if keys not in ({"log"}, {"low", "high"}):
        raise ValueError(f"{where}: expected {FORMS}, got {shown(told)}")
    _check_kind(float in numbers, where, "a field of fractions for log, low and high", kind)
    if keys == {"log"}:
        return Parameter(name, "log", *_ends(told["log"], where, whole=False, log=True))
    pair = [told["low"], told["high"]]
    return Parameter(name, "linear", *_ends(pair, where, whole=False, log=False))


def _check_kind(fits: bool, where: str, expected: str, kind: Any) -> None:
    if not fits:
        names = ", ".join(getattr(part, "__name__", str(part)) for part in _parts(kind))
        hint = "; {int = [a, b]} is for whole numbers" if int in _parts(kind) else ""
        raise ValueError(f"{where}: expected {expected}, got one of {names}{hint}")


def _parts(kind: Any) -> list[Any]:
    """The types that an annotation allows, None apart."""
    if get_origin(kind) in (Union, UnionType):
        return [part for part in get_args(kind) if part is not type(None)]
    return [kind]


def _ends(pair: Any, where: str, whole: bool, log: bool) -> tuple[float, float]:
    """The lowest and the highest value.

    Raises:
        ValueError: no two numbers in order, or no logarithm of them.
    """
    what = "two whole numbers" if whole else "two numbers"
    allowed = int if whole else int | float
    right = isinstance(pair, list) and len(pair) == 2
    right = right and all(isinstance(x, allowed) and not isinstance(x, bool) for x in pair)
    if not right or not all(math.isfinite(x) for x in pair) or pair[0] >= pair[1]:
        raise ValueError(f"{where}: expected {what}, the lower first, got {shown(pair)}")
    if log and pair[0] <= 0:
        raise ValueError(f"{where}: expected numbers above 0 for a logarithm, got {shown(pair)}")
    return (pair[0], pair[1]) if whole else (float(pair[0]), float(pair[1]))


def _choices(told: Any, where: str) -> tuple[Any, ...]:
    """The choices, each once.

    Raises:
        ValueError: fewer than two, or others than values and lists of them.
    """
    if not isinstance(told, list) or len(told) < 2:
        raise ValueError(f"{where}: expected at least two choices, got {shown(told)}")
    for choice in told:
        parts = choice if isinstance(choice, list) else [choice]
        if not all(isinstance(part, Scalar) for part in parts):
            raise ValueError(f"{where}: expected values or lists of them, got {shown(choice)}")
    texts = [json.dumps(choice) for choice in told]
    if len(set(texts)) < len(texts):
        raise ValueError(f"{where}: expected each choice once, got {shown(told)}")
    return tuple(told)
