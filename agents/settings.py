"""How a training run goes: its length, its width, and what is kept of it."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

from sidestep.sequence.limits import COUNT, NATURAL, SHARE, check_fields

Config = TypeVar("Config")
Given = TypeVar("Given", bound="Partial")


class Partial:
    """A configuration that remembers which of its fields it was given, and which are defaults.

    So `DeepSarsaConfig(learning_rate=1e-3)` can be laid over a preset: that one field is changed,
    and all others stay the preset's. What `dataclasses.replace` makes was given every field.
    """

    given: frozenset[str]
    """Names of the fields that were given."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remember the names; a dataclass's own `__init__` sets the fields."""
        made = super().__new__(cls)
        names = [field.name for field in fields(cls)][: len(args)]  # type: ignore[arg-type]
        object.__setattr__(made, "given", frozenset((*names, *kwargs)))
        return made

    def over(self, known: Config) -> Config:
        """Lay the given fields over `known`, those of configurations inside likewise.

        Args:
            known: a dataclass with at least these fields.

        Raises:
            ValueError: a field that does not go with the others.
        """
        changes = {}
        for name in self.given:
            value = getattr(self, name)
            changes[name] = (
                value.over(getattr(known, name)) if isinstance(value, Partial) else value
            )
        return replace(known, **changes)  # type: ignore[type-var]


def with_settings(config: Given, settings: Mapping[str, Any]) -> Given:
    """A configuration with some fields set by name, those of the network inside it too.

    Args:
        config: a learner's.
        settings: values by the names of fields.

    Raises:
        TypeError: a name that is no field's.
        ValueError: a value that is none of the field's.
    """
    own = {field.name for field in fields(config)}  # type: ignore[arg-type]
    network: Any = getattr(config, "network", None)
    inner = {field.name for field in fields(network)} if network is not None else set()
    for name in settings:
        if name not in own | inner:
            close = difflib.get_close_matches(name, own | inner, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            kind = type(config).__name__
            raise TypeError(f"settings: expected fields of {kind}, got {name!r}{hint}")
    values = {name: getattr(config, name) for name in config.given}
    values |= {name: value for name, value in settings.items() if name in own}
    parts = {name: value for name, value in settings.items() if name in inner}
    if parts:
        network = values.get("network", network)
        kept = {name: getattr(network, name) for name in network.given}
        values["network"] = type(network)(**{**kept, **parts})
    return type(config)(**values)


@dataclass(frozen=True)
class TrainingConfig:
    """How long, how wide, and what is kept."""

    total_steps: int = 1_000_000
    """Env ticks to learn from, over all lanes."""
    num_envs: int = 64
    """Lanes."""
    seed: int = 0
    """Of parameters, exploration and worlds; evaluation has its own."""
    evaluation_seed: int | None = None
    """Of the worlds of evaluations; None: it follows from the seed. The same one beside other
    seeds: all are measured in the same worlds."""
    log_every: int = 10_000
    """Env steps between lines of metrics.jsonl."""
    evaluate_every: int = 100_000
    """Env steps between evaluations; 0: none before the end."""
    evaluation_episodes: int = 500
    """Greedy episodes of such an evaluation."""
    checkpoint_every: int = 250_000
    """Env steps between checkpoints; the last and the best are always kept."""
    keep_checkpoints: int = 2
    """Checkpoints kept beside the best; older ones are removed."""
    stop_at_success: float = 0.0
    """Stop when an evaluation's success reaches this share; 0: never."""
    tensorboard: bool = False
    """Write TensorBoard event files too (the extra of that name)."""
    shards: int | None = None
    """Parts of the lanes, each with an env of its own, whose gradients are summed in order: so many
    give the same run in however many processes. None: one for each process that begins it."""
    device: str = "auto"
    """auto: a GPU where there is one and lanes and network are large enough that it is faster, else
    the CPU; or a torch device."""
    threads: int = 1
    """torch's threads; more pay only from some thousand rows an update on."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {
            "total_steps": COUNT,
            "num_envs": COUNT,
            "seed": NATURAL,
            "evaluation_seed": NATURAL,
            "log_every": COUNT,
            "evaluate_every": NATURAL,
            "evaluation_episodes": COUNT,
            "checkpoint_every": COUNT,
            "keep_checkpoints": COUNT,
            "stop_at_success": SHARE,
            "shards": COUNT,
            "threads": COUNT,
        }
        check_fields(self, limits)


def whole(name: str, number: Any) -> int:
    """Read a count of at least 1; 1e5 is one too.

    Raises:
        ValueError: it is none.
    """
    try:
        count = int(number)
    except (TypeError, ValueError, OverflowError):
        count = 0
    if count != number or count < 1 or isinstance(number, str):
        raise ValueError(f"{name}: expected a whole number of at least 1, got {number!r}")
    return count
