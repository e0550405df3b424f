"""A run's folder: config.json, metrics.jsonl, checkpoints; and agents made again from it."""

import json
from collections.abc import Collection
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gymnasium.vector import VectorEnv
from torch import Tensor

from sidestep.sequence.devices import device_of as device_of
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.folder import (
    check_run,
    check_there,
    create_folder,
    digest_of,
    modules_of,
    read_settings,
)
from sidestep.sequence.fitting.records import (
    build_config,
    entries,
    parse_json,
    shown,
)
from sidestep.sequence.fitting.stored import check_course, under

from .algorithms.learner import Agent, LearnerConfig
from .algorithms.registry import LEARNERS as LEARNERS
from .environments import EnvConfig, check_module_of, import_module, make_vector, making
from .networks import NetworkConfig
from .settings import TrainingConfig


@dataclass(frozen=True)
class RunConfig:
    """What config.json holds: env, learner, and how it was trained."""

    learner: str
    env: EnvConfig
    agent: LearnerConfig
    training: TrainingConfig
    modules: tuple[str, ...] = ()
    """That a command imported first: they register what the run is made of. Noted in config.json,
    where there are any, for commands that read it; nothing here imports them."""

    def to_json(self) -> str:
        """The text of config.json."""
        record = asdict(self)
        if not self.modules:
            del record["modules"]
        return json.dumps(record, indent=1) + "\n"

    def identity(self) -> str:
        """A digest of all that decides the course of training; how long it lasts does not."""
        return identity_of(asdict(self))

    @classmethod
    def from_json(cls, text: str, source: str = "config.json") -> "RunConfig":
        """Read config.json.

        Raises:
            ValueError: not JSON, of another version's fields, or another command's run.
        """
        return cls.of(parse_json(text, source), source)

    @classmethod
    def of(cls, record: Any, source: str) -> "RunConfig":
        """The configuration from the dict of a config.json; see `build_config` for older ones.

        Raises:
            ValueError: another version's fields, values out of range, or another command's run.
        """
        kind = record.get("kind") if isinstance(record, dict) else None
        if kind is not None:
            raise ValueError(f"{source}: expected a run of `sidestep train`, got one of {kind!r}")
        entries(record, source, learner=str, env=dict, agent=dict, training=dict)
        return cls(
            record["learner"],
            build_config(EnvConfig, record["env"], source),
            learner_config(record["learner"], record["agent"], source),
            build_config(TrainingConfig, record["training"], source),
            modules_of(record, source),
        )


def identity_of(record: dict[str, Any]) -> str:
    """What tells one run from another, from the dict of its config.json.

    It is of the entries that were written, and not of the configuration that is made of them: a
    field that a later version has more is not among them, and the run stays what it was.
    """
    training = {**record["training"], "total_steps": 1}  # how long it lasts does not matter
    settings = {k: v for k, v in record.items() if k != "modules"}  # nor what they are called now
    return digest_of({**settings, "training": training})


def learner_config(learner: str, values: dict[str, Any], source: str) -> LearnerConfig:
    """A learner's configuration from the dict that was written, maybe by an earlier version.

    Raises:
        ValueError: no such learner, or fields of another version.
    """
    if learner not in LEARNERS:
        names = ", ".join(LEARNERS)
        raise ValueError(
            f"{source}: expected one of the learners {names}, got {shown(learner)}; "
            "of one that another module registers, import the module first (a command: "
            "--modules NAME)"
        )
    kind = LEARNERS[learner].config
    values = dict(entries(values, source, network=dict))
    network = {"channels_axis": "bytes", **values["network"]}  # the rule before there was a choice
    values["network"] = build_config(NetworkConfig, network, source)
    config: LearnerConfig = build_config(kind, values, source)
    return config


def create_run(folder: Path, config: RunConfig) -> None:
    """Make the folder with its config.json.

    Raises:
        FileExistsError: the folder is there already and not empty.
    """
    create_folder(folder, config.to_json())


def read_config(folder: Path, modules: Collection[str] | None = ()) -> RunConfig:
    """The run's configuration.

    Args:
        folder: of the run.
        modules: that may be imported for its env; by default none that is not yet, None: any.

    Raises:
        FileNotFoundError: no such folder, or no config.json in it.
        ValueError: no configuration, or one whose env is in a module that was not named.
    """
    config, _ = _read(folder, modules)
    check_module_of(config.env, f"{folder}/config.json", modules)
    return config


def _read(folder: Path, modules: Collection[str] | None) -> tuple[RunConfig, str]:
    """The configuration, and which run it is; its env's module is imported where it may be.

    It may register what the configuration names.
    """
    record = read_settings(folder)
    env = record.get("env")
    if isinstance(env, dict) and isinstance(env.get("id"), str):
        module = env["id"].rpartition(":")[0]
        if module and (modules is None or module in modules):
            import_module(module, env["id"])
    return RunConfig.of(record, str(folder / "config.json")), identity_of(record)


class Restored(NamedTuple):
    """A run's configuration and one of its checkpoints, which belong together."""

    config: RunConfig
    path: Path
    """Of the checkpoint's JSON."""
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def read_checkpoint(
    folder: Path, checkpoint: Path | str | None = None, modules: Collection[str] = ()
) -> Restored:
    """Read a run and a checkpoint of it: the one way to a trained agent.

    Args:
        folder: of the run.
        checkpoint: the JSON file of one checkpoint; None: the latest.
        modules: that may be imported for the run's env; by default none that is not yet.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        ValueError: a damaged checkpoint, one of another run, or a changed config.json.
    """
    config, identity = _read(folder, modules)
    path = latest_checkpoint(folder) if checkpoint is None else Path(checkpoint)
    check_there(folder, path)
    tensors, facts = load_checkpoint(path)
    check_course(facts, "steps")
    if facts.get("learner") != config.learner:
        raise ValueError(
            f"checkpoint {path.name}: expected learner {config.learner}, "
            f"got {shown(facts.get('learner'))}"
        )
    check_run(folder, facts, identity)
    check_module_of(config.env, f"{folder}/config.json", modules)
    return Restored(config, path, tensors, facts)


def load_agent(
    folder: Path | str,
    checkpoint: Path | str | None = None,
    modules: Collection[str] = (),
    device: str = "cpu",
) -> tuple[Agent, RunConfig]:
    """The trained agent of a run, ready to act; its running statistics are frozen.

    Args:
        folder: of the run.
        checkpoint: the JSON file of one checkpoint; None: the latest.
        modules: that may be imported for the run's env, where its id is `module:id`; one that is
            imported already need not be named.
        device: where its network lives, wherever it was trained.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        ValueError: a damaged checkpoint, one of another architecture, a changed config.json, or
            an env in a module that was neither named nor imported.
    """
    run = read_checkpoint(Path(folder), checkpoint, modules)
    return restore_agent(run, device=device), run.config


def restore_agent(
    run: Restored, env: VectorEnv[Any, Any, Any] | None = None, device: str = "cpu"
) -> Agent:
    """The agent of a checkpoint that was read, ready to act; its running statistics are frozen.

    Args:
        run: what was read.
        env: of the run's configuration, with any number of lanes, whose spaces the agent has; None
            makes one for the time being.
        device: where its network lives, wherever it was trained.

    Raises:
        ValueError: a checkpoint of another architecture, an env that cannot be made, or a device
            that is not there.
    """
    agent = build_agent(run.config, 0, device_of(device), under(run.tensors, "agent."), env)
    agent.load_state_dict(under(run.tensors, "agent."), learning=False)
    agent.schedule(run.facts.get("total_steps") or run.config.training.total_steps)
    agent.encoder.frozen = True
    return agent


def training_device(config: RunConfig, env: VectorEnv[Any, Any, Any]) -> str:
    """Where a run is trained: the device that it names, or by `auto` the faster one.

    Raises:
        ValueError: a device that is not there.
    """
    learner, training = LEARNERS[config.learner].agent, config.training
    spaces = env.single_observation_space, env.single_action_space
    return device_of(
        training.device, lambda: learner.work(*spaces, config.agent, training.num_envs)
    )


def build_agent(
    config: RunConfig,
    seed: int,
    device: str = "cpu",
    tensors: dict[str, Tensor] | None = None,
    env: VectorEnv[Any, Any, Any] | None = None,
) -> Agent:
    """A fresh agent for the run's env.

    Args:
        config: of the run.
        seed: of the parameters.
        device: where the network lives.
        tensors: an agent's, that it will be given; they are checked before it is made.
        env: of `config.env`, with any number of lanes, whose spaces the agent has; None makes one
            for the time being.

    Raises:
        ValueError: `tensors` of another architecture.
    """
    if env is None:
        with making(f"env {config.env.id}") if tensors is not None else nullcontext():
            env = make_vector(config.env, 1)
        with closing(env):
            return build_agent(config, seed, device, tensors, env)
    learner = LEARNERS[config.learner].agent
    spaces = env.single_observation_space, env.single_action_space
    if tensors is not None:
        learner.check_architecture(*spaces, config.agent, tensors)
    agent = learner(*spaces, config.agent, seed, device)
    agent.schedule(config.training.total_steps)
    return agent
