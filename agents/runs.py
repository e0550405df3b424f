"""A run's folder: config.json, metrics.jsonl, checkpoints; and agents made again from it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import torch

from .agent import Agent, LearnerConfig, under
from .checkpoint import latest_checkpoint, load_checkpoint, write_atomically
from .deep_sarsa import DeepSarsa, DeepSarsaConfig
from .environments import EnvConfig, make_vector
from .networks import NetworkConfig
from .reinforce import Reinforce, ReinforceConfig
from .settings import TrainingConfig

LEARNERS: dict[str, tuple[type[Agent], type[LearnerConfig]]] = {
    "deep-sarsa": (DeepSarsa, DeepSarsaConfig),
    "reinforce": (Reinforce, ReinforceConfig),
}
"""Every learner by the name it has on the command line."""


@dataclass(frozen=True)
class RunConfig:
    """What config.json holds: env, learner, and how it was trained."""

    learner: str
    env: EnvConfig
    agent: LearnerConfig
    training: TrainingConfig
    absent: tuple[tuple[str, ...], ...] = ()
    """Paths of fields that its config.json lacks, being of an earlier version."""

    def to_json(self) -> str:
        """The text of config.json."""
        record = asdict(self)
        del record["absent"]
        return json.dumps(record, indent=1) + "\n"

    def identity(self) -> str:
        """A digest of all that decides the course of training; how long it lasts does not.

        Fields that came after the run was begun are left out, so that it stays what it was.
        """
        record = json.loads(self.to_json())
        record["training"]["total_steps"] = 1
        for *parents, name in self.absent:
            del _inside(record, parents)[name]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, source: str = "config.json") -> "RunConfig":
        """Read config.json.

        Raises:
            ValueError: not JSON, or of another version's fields.
        """
        try:
            record = json.loads(text)
            config = cls(
                record["learner"],
                build_config(EnvConfig, record["env"], source),
                learner_config(record["learner"], record["agent"], source),
                build_config(TrainingConfig, record["training"], source),
            )
            return replace(config, absent=tuple(_absent(json.loads(config.to_json()), record)))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{source}: expected a run's configuration, got {error!r}") from None


def _absent(full: dict[str, Any], given: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Paths of the entries of `full` that `given` lacks."""
    for name, value in full.items():
        if name not in given:
            yield (name,)
        elif isinstance(value, dict):
            yield from ((name, *path) for path in _absent(value, given[name]))


def _inside(record: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The dict at `path`."""
    return reduce(getitem, path, record)


def learner_config(learner: str, values: dict[str, Any], source: str) -> LearnerConfig:
    """A learner's configuration from the dict that was written.

    Raises:
        ValueError: fields of another version.
    """
    _, kind = LEARNERS[learner]
    network = build_config(NetworkConfig, values["network"], source)
    config: LearnerConfig = build_config(kind, {**values, "network": network}, source)
    return config


def build_config(kind: Any, values: dict[str, Any], source: str) -> Any:
    """A configuration dataclass from the dict that was written; lists become tuples.

    Raises:
        ValueError: fields of another version.
    """
    unknown = sorted(values.keys() - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"{source}: expected fields of {kind.__name__}, got {', '.join(unknown)}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def create_run(folder: Path, config: RunConfig) -> None:
    """Make the folder with its config.json.

    Raises:
        FileExistsError: the folder is there already and not empty.
    """
    create_folder(folder, config.to_json())


def create_folder(folder: Path, text: str) -> None:
    """Make the folder of any run, with `text` as its config.json.

    Raises:
        FileExistsError: the folder is there already and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder}: expected a new folder for the run, got one in use")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "config.json", text.encode())


def read_config(folder: Path) -> RunConfig:
    """The run's configuration.

    Raises:
        FileNotFoundError: no such folder, or no config.json in it.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected a run's folder with a config.json in it")
    return RunConfig.from_json(path.read_text(), str(path))


def load_agent(folder: Path | str, checkpoint: Path | str | None = None) -> tuple[Agent, RunConfig]:
    """The trained agent of a run, ready to act; its running statistics are frozen.

    Args:
        folder: of the run.
        checkpoint: the JSON file of one checkpoint; None: the latest.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        ValueError: a damaged checkpoint, or one of another architecture.
    """
    folder = Path(folder)
    config = read_config(folder)
    path = latest_checkpoint(folder) if checkpoint is None else Path(checkpoint)
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.json") if p.stem != "config"))
        raise FileNotFoundError(f"{path}: expected a checkpoint ({there or 'none is there'})")
    tensors, facts = load_checkpoint(path)
    if facts.get("learner") != config.learner:
        raise ValueError(
            f"checkpoint {path.name}: expected learner {config.learner}, got {facts.get('learner')}"
        )
    agent = build_agent(config, seed=0)
    agent.load_state_dict(under(tensors, "agent."), learning=False)
    agent.schedule(facts.get("total_steps", config.training.total_steps))
    agent.encoder.frozen = True
    return agent, config


def device_of(name: str) -> str:
    """The torch device of the flag.

    Raises:
        ValueError: a device that is not there.
    """
    if name == "auto":
        return "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device: expected one that is there, got {name!r} ({error})") from None
    return name


def build_agent(config: RunConfig, seed: int, device: str = "cpu") -> Agent:
    """A fresh agent for the run's env."""
    env = make_vector(config.env, 1)
    try:
        learner, _ = LEARNERS[config.learner]
        agent = learner(
            env.single_observation_space, env.single_action_space, config.agent, seed, device
        )
        agent.schedule(config.training.total_steps)
        return agent
    finally:
        env.close()
