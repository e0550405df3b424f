"""What is read back is what was written, or refused by name before anything changes."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import Tensor

from sidestep.agents import (
    REINFORCE,
    DeepSARSA,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    ReinforceConfig,
    RunConfig,
    Trainer,
    TrainingConfig,
    load_agent,
    make_vector,
)
from sidestep.agents.runs import build_agent, create_run, identity_of, read_checkpoint
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint

NETWORK = NetworkConfig(hidden_sizes=(5,), memory="gru", memory_size=3)
SARSA = DeepSarsaConfig(network=NETWORK, rollout_steps=2, normalize_observations=True)
EPISODES = ReinforceConfig(network=NetworkConfig(hidden_sizes=(5,)), baseline="time")
TRAINING = TrainingConfig(total_steps=60, num_envs=3, evaluate_every=0)


def begun(folder: Path, learner: str = "deep-sarsa", agent: Any = SARSA) -> RunConfig:
    """A short run."""
    config = RunConfig(learner, EnvConfig(), agent, TRAINING)
    trainer = trainer_of(config, folder)
    create_run(folder, config)
    trainer.run()
    return config


def trainer_of(config: RunConfig, folder: Path | None) -> Trainer:
    env = make_vector(config.env, config.training.num_envs)
    agent = build_agent(config, config.training.seed)
    return Trainer(agent, env, config.training, None, folder, {"run": config.identity()})


def bits(trainer: Trainer) -> dict[str, bytes]:
    return {k: v.numpy().tobytes() for k, v in trainer.state_dict().items()}


def damages(tensors: dict[str, Tensor]) -> list[tuple[str, dict[str, Tensor]]]:
    """Every tensor gone, emptied, one row longer, of another type; and one too many."""
    found = [("one too many", {**tensors, "agent.extra": torch.zeros(1)})]
    for name, tensor in tensors.items():
        other = torch.float32 if tensor.dtype == torch.float64 else torch.float64
        changed = {
            "gone": None,
            "emptied": torch.empty(0, *tensor.shape[1:], 0, dtype=tensor.dtype),
            "with an axis more": tensor.unsqueeze(0),
            "of another type": tensor.to(other),
        }
        for kind, new in changed.items():
            rest = {k: v for k, v in tensors.items() if k != name}
            found.append((f"{name} {kind}", rest if new is None else {**rest, name: new}))
    return found


@pytest.mark.parametrize(("learner", "agent"), [("deep-sarsa", SARSA), ("reinforce", EPISODES)])
def test_every_tensor_of_a_checkpoint_is_checked_before_anything_changes(
    tmp_path: Path, learner: str, agent: Any
) -> None:
    config = begun(tmp_path, learner, agent)
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    trainer = trainer_of(config, None)
    before = bits(trainer)
    cases = damages(tensors)
    assert len(cases) > 100
    for what, damaged in cases:
        with pytest.raises(ValueError, match=r"checkpoint|state"):
            trainer.load_state_dict(damaged, facts)
            pytest.fail(what)
        assert bits(trainer) == before, what
    trainer.load_state_dict(tensors, facts)
    assert {k: v.numpy().tobytes() for k, v in tensors.items()} == bits(trainer)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("agent.steps", lambda t: t - 10**6),
        ("agent.tick", lambda t: t - 10**6),
        ("agent.obs_moments.mean", lambda t: t * torch.nan),
        ("agent.obs_moments.count", lambda t: -t),
        ("agent.optimizer.step", lambda t: -t),
        ("collector.action", lambda t: t + 5),
        ("collector.inputs.last_action", lambda t: t - 6),
        ("env.clock", lambda t: t - 1000),
        ("env.fingerprint", lambda t: t + 1),
        ("recent.episodes", lambda t: -1 - t),
    ],
)
def test_numbers_that_no_training_leads_to_are_refused(
    tmp_path: Path, name: str, change: Callable[[Tensor], Tensor]
) -> None:
    config = begun(tmp_path)
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    trainer = trainer_of(config, None)
    before = bits(trainer)
    with pytest.raises(ValueError, match="expected"):
        trainer.load_state_dict({**tensors, name: change(tensors[name])}, facts)
    assert bits(trainer) == before


FACTS: list[tuple[str, Any]] = [
    *[(name, "x") for name in ("steps", "seconds", "best", "log_position", "next")],
    *[(name, None) for name in ("steps", "seconds", "log_position", "next")],
    ("steps", 3.5), ("steps", True), ("steps", 10**30), ("steps", 7), ("seconds", -1.0),
    ("next", [1, 2]), ("next", [1, 2, "3"]), ("next", [1, 2, -3]), ("log_position", -1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), FACTS)
def test_facts_of_another_type_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    config = begun(tmp_path)
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    trainer = trainer_of(config, None)
    with pytest.raises(ValueError, match=r"checkpoint: .*expected"):
        trainer.load_state_dict(tensors, {**facts, name: value})
    with pytest.raises(ValueError, match="checkpoint: expected an entry"):
        trainer.load_state_dict(tensors, {k: v for k, v in facts.items() if k != name})


def test_moments_of_another_shape_do_not_act_as_another_agent(tmp_path: Path) -> None:
    begun(tmp_path)
    path = latest_checkpoint(tmp_path)
    tensors, facts = load_checkpoint(path)
    name = "agent.obs_moments.mean"
    rewrite(path, {**tensors, name: tensors[name][:1]}, facts)
    message = r"tensor 'obs_moments.mean': expected shape \(\d+,\), got shape \(1,\)"
    with pytest.raises(ValueError, match=message):
        load_agent(tmp_path)


def rewrite(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """A checkpoint whose digests are right, whatever is in it."""
    own = ("format", "tensors", "bytes", "sha256", "digest")
    facts = {k: v for k, v in facts.items() if k not in own}
    save_checkpoint(path.parent, path.stem, tensors, facts)


def test_the_json_of_a_checkpoint_has_a_digest(tmp_path: Path) -> None:
    begun(tmp_path)
    path = latest_checkpoint(tmp_path)
    text = path.read_text()
    record = json.loads(text)
    for name in record:
        for value in ("x", -3, []):
            path.write_text(json.dumps({**record, name: value}))
            with pytest.raises(ValueError, match="expected"):
                load_checkpoint(path)
        path.write_text(json.dumps({k: v for k, v in record.items() if k != name}))
        with pytest.raises(ValueError, match="expected"):
            load_checkpoint(path)
    path.write_text(text.replace(str(record["seconds"]), "0.125"))
    with pytest.raises(ValueError, match="expected the entries of its digest, got changed ones"):
        load_checkpoint(path)
    path.write_text(text)
    assert load_checkpoint(path)[1] == record


@pytest.mark.parametrize(("section", "name"), [("agent", "discount"), ("training", "seed"),
                                               ("env", "max_episode_steps")])  # fmt: skip
def test_a_changed_config_is_refused_by_whatever_loads_the_agent(
    tmp_path: Path, section: str, name: str
) -> None:
    begun(tmp_path)
    path = tmp_path / "config.json"
    record = json.loads(path.read_text())
    record[section][name] = 1
    path.write_text(json.dumps(record))
    for read in (load_agent, read_checkpoint):
        with pytest.raises(ValueError, match=r"of its checkpoint, got a changed config\.json"):
            read(tmp_path)


def test_a_run_made_before_a_field_was_there_is_still_itself(tmp_path: Path) -> None:
    config = begun(tmp_path)
    path = tmp_path / "config.json"
    record = json.loads(path.read_text())
    del record["agent"]["network"]["skip_connection"], record["training"]["stop_at_success"]
    path.write_text(json.dumps(record))
    last = latest_checkpoint(tmp_path)
    tensors, facts = load_checkpoint(last)
    rewrite(last, tensors, {**facts, "run": identity_of(record)})  # as an older version wrote it
    agent, read = load_agent(tmp_path)
    assert read == config
    assert agent.steps == facts["steps"]
    record["agent"]["network"]["skip_connection"] = False  # now it is a changed one
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"got a changed config\.json"):
        load_agent(tmp_path)


SAVE_EDITS: list[tuple[str, Any]] = [
    ("env", 3), ("env", []), ("env", {}), ("env.id", None), ("env.id", 3), ("env.id", "Nope-v0"),
    ("env.kwargs", None), ("env.kwargs", 7), ("env.kwargs", [1]), ("env.kwargs", ["size=3"]),
    ("env.max_episode_steps", "x"), ("env.max_episode_steps", 0), ("env.vectorization", None),
    ("env.nope", 1), ("agent", None), ("agent", 3), ("agent.network", None), ("agent.network", []),
    ("agent.network.hidden_sizes", 5), ("agent.network.hidden_sizes", ["a"]),
    ("agent.network.hidden_sizes", [10**12]), ("agent.network.memory", None),
    ("agent.network.memory_size", "x"), ("agent.network.last_action", True),
    ("agent.discount", None), ("agent.discount", "0.9"), ("agent.epsilon_start", [1]),
    ("agent.minibatches", 1.5), ("agent.nope", 1), ("seed", None), ("seed", -1), ("seed", "0"),
    ("seed", 10**40), ("num_envs", None), ("num_envs", 0), ("num_envs", 10**12), ("num_envs", 2.5),
    ("num_envs", True), ("learner", None), ("learner", 4), ("learner", []),
]  # fmt: skip


@pytest.mark.parametrize(("where", "value"), SAVE_EDITS)
def test_an_edited_save_is_refused_as_is_promised(tmp_path: Path, where: str, value: Any) -> None:
    model = DeepSARSA("CartPole-v1", replace(SARSA, network=NETWORK), num_envs=2)
    model.save(tmp_path / "model")
    path = tmp_path / "model.json"
    tensors, facts = load_checkpoint(path)
    *parts, name = where.split(".")
    place = facts
    for part in parts:
        place = place[part]
    place[name] = value
    rewrite(path, tensors, facts)
    with pytest.raises(ValueError, match="expected"):
        DeepSARSA.load(path)
    facts = {k: v for k, v in facts.items() if k != where}
    rewrite(path, tensors, facts)
    if where in ("env", "agent", "seed", "num_envs", "learner"):
        with pytest.raises(ValueError, match="expected"):
            DeepSARSA.load(path)


def test_every_tensor_of_a_save_is_checked(tmp_path: Path) -> None:
    model = REINFORCE("CartPole-v1", EPISODES, num_envs=2).learn(10)
    model.save(tmp_path / "model")
    path = tmp_path / "model.json"
    tensors, facts = load_checkpoint(path)
    for what, damaged in damages(tensors):
        rewrite(path, damaged, facts)
        with pytest.raises(ValueError, match="expected"):
            REINFORCE.load(path)
            pytest.fail(what)
    rewrite(path, tensors, facts)
    assert REINFORCE.load(path).num_timesteps == model.num_timesteps


MODULE = """
import gymnasium as gym
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
gym.register("Trusted{n}-v0", lambda: gym.make("CartPole-v1"), max_episode_steps=9)
"""


def test_loading_imports_nothing_that_was_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trusted_1.py").write_text(MODULE.format(n=1))
    monkeypatch.syspath_prepend(tmp_path)
    model = DeepSARSA("CartPole-v1", replace(SARSA, network=NETWORK), num_envs=2)
    model.env_config = EnvConfig("trusted_1:Trusted1-v0")
    model.save(tmp_path / "model")
    run = tmp_path / "run"
    config = RunConfig("deep-sarsa", model.env_config, model.agent.config, TRAINING)
    create_run(run, config)
    facts = {"learner": "deep-sarsa", "run": config.identity(), "steps": 0, "seconds": 0.0}
    facts |= {"best": None, "log_position": 0, "next": [1, 2, 3]}
    tensors = {f"agent.{k}": v for k, v in model.agent.state_dict().items()}
    save_checkpoint(run, "checkpoint-000000000000", tensors, facts)
    ran = tmp_path / "trusted_1.ran"
    for load in (lambda: DeepSARSA.load(tmp_path / "model"), lambda: load_agent(run)):
        with pytest.raises(ValueError, match="expected an env in a module that is imported or na"):
            load()
        assert not ran.exists()
    assert load_agent(run, modules=["trusted_1"])[1] == config
    assert ran.exists()
    assert DeepSARSA.load(tmp_path / "model").num_timesteps == 0  # it is imported by now
    sys.modules.pop("trusted_1")
    gym.registry.pop("Trusted1-v0")
    again = DeepSARSA.load(tmp_path / "model", env="trusted_1:Trusted1-v0")  # named by the caller
    assert again.env.num_envs == 2
