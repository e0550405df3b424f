"""Training repeats, resumes bit for bit, and keeps what it should."""

import math
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.vector import AutoresetMode

from sidestep.agents import (
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
    Trainer,
    TrainingConfig,
    make_vector,
)
from sidestep.agents.training import stream_seed
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.log import RunLog, read_log

from .toys import Native

WORLD = EnvConfig(max_episode_steps=9)
SARSA = {"epsilon_steps": 900, "minibatches": 2, "rollout_steps": 8, "target": "sarsa"}
CASES = [
    ("deep-sarsa", "none", SARSA | {"normalize_observations": True}),
    ("deep-sarsa", "gru", SARSA | {"reward_scale": 0.5, "normalize_rewards": True}),
    ("deep-sarsa", "attention", SARSA | {"target": "expected"}),
    ("reinforce", "none", {"baseline": "time", "entropy_steps": 900}),
    ("reinforce", "gru", {"batch": "rollout", "trace_decay": 0.9, "rollout_steps": 8}),
    ("reinforce", "attention", {"baseline": "value", "normalize_advantages": True}),
]


def make_trainer(
    learner: str, memory: str, options: dict[str, Any], folder: Path | None = None, **training: Any
) -> Trainer:
    settings: dict[str, Any] = {"total_steps": 1000, "num_envs": 4, "log_every": 90}
    settings |= {"evaluate_every": 200, "evaluation_episodes": 6, "checkpoint_every": 300}
    config = TrainingConfig(**settings | training)
    env = make_vector(WORLD, config.num_envs)
    remembers = memory != "none"
    network = NetworkConfig((7,), memory, 5, 1, 3, last_action=remembers, last_reward=remembers)
    common: dict[str, Any] = {"network": network, "final_learning_rate": 1e-4, **options}
    spaces = env.single_observation_space, env.single_action_space
    agent: Any = (
        DeepSarsa(*spaces, DeepSarsaConfig(**common), config.seed)
        if learner == "deep-sarsa"
        else Reinforce(*spaces, ReinforceConfig(**common), config.seed)
    )
    return Trainer(agent, env, config, make_vector(WORLD, 3), folder)


def bits(trainer: Trainer) -> dict[str, bytes]:
    """All that the future depends on."""
    state = trainer.state_dict()
    return {k: v.detach().contiguous().numpy().tobytes() for k, v in state.items()}


def log_of(folder: Path) -> list[dict[str, Any]]:
    clock = ("seconds", "steps_per_second")
    return [{k: v for k, v in line.items() if k not in clock} for line in read_log(folder)]


@pytest.mark.parametrize(("learner", "memory", "options"), CASES)
def test_a_resumed_run_equals_an_undisturbed_one(
    learner: str, memory: str, options: dict[str, Any], tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    undisturbed = make_trainer(learner, memory, options, whole)
    undisturbed.run()
    first = make_trainer(learner, memory, options, parts)
    first.run(lambda progress: progress.steps < 450)
    assert 450 <= first.agent.steps < 700
    RunLog(parts).write({"steps": 9999, "of": "a killed run, after its last checkpoint"})
    second = make_trainer(learner, memory, options, parts)
    second.agent.random.tick += 3
    assert second.load_state_dict(*load_checkpoint(latest_checkpoint(parts)))
    assert bits(second) == bits(first)
    assert second.seconds == first.seconds and second.best == first.best
    second.run()
    want, got = bits(undisturbed), bits(second)
    assert want.keys() == got.keys()
    assert [name for name in want if want[name] != got[name]] == []
    assert second.agent.steps == undisturbed.agent.steps >= 1000
    assert log_of(parts) == log_of(whole)
    assert second.best == undisturbed.best
    assert second.recent.episodes == undisturbed.recent.episodes > 50
    best, facts = load_checkpoint(parts / "best.json")
    other, others = load_checkpoint(whole / "best.json")
    assert facts["steps"] == others["steps"]
    assert all(torch.equal(best[name], other[name]) for name in other)


@pytest.mark.parametrize(("learner", "memory", "options"), [CASES[0], CASES[4]])
def test_a_seed_repeats_and_another_does_not(
    learner: str, memory: str, options: dict[str, Any]
) -> None:
    runs = [make_trainer(learner, memory, options, seed=s, total_steps=400) for s in (0, 0, 1)]
    for trainer in runs:
        trainer.run()
    assert bits(runs[0]) == bits(runs[1])
    assert bits(runs[0])["agent.network.head.weight"] != bits(runs[2])["agent.network.head.weight"]


@pytest.mark.parametrize(("learner", "memory", "options"), [CASES[0], CASES[1], CASES[5]])
def test_evaluations_leave_training_alone(
    learner: str, memory: str, options: dict[str, Any]
) -> None:
    runs = [
        make_trainer(learner, memory, options, evaluate_every=every, total_steps=500)
        for every in (0, 1, 200)
    ]
    for trainer in runs:
        trainer.run()
        assert math.isfinite(trainer.best) == (trainer.config.evaluate_every > 0)
    assert bits(runs[0]) == bits(runs[1]) == bits(runs[2])


def test_steps_are_the_ticks_learned_from() -> None:
    trainer = make_trainer(*CASES[0], total_steps=64)
    valid: list[int] = []
    update = trainer.agent.update
    trainer.agent.update = lambda r: valid.append(int(r.valid.sum())) or update(r)  # type: ignore
    trainer.run()
    assert trainer.agent.steps == sum(valid) >= 64
    assert all(v <= 32 for v in valid)


def test_the_learning_rate_falls_to_its_end() -> None:
    trainer = make_trainer(*CASES[0])
    agent, group = trainer.agent, trainer.agent.optimizer.param_groups[0]
    first, last = agent.config.learning_rate, 1e-4
    for steps, want in ((0, first), (500, (first + last) / 2), (1000, last), (2000, last)):
        agent.steps = steps
        agent.schedule(1000)
        assert group["lr"] == pytest.approx(want)


class Exploding(Native):
    """From the 60th tick on rewards are `value`."""

    value = math.nan

    def step(self, actions: Any) -> Any:
        obs, reward, *rest = super().step(actions)
        self.ticks = getattr(self, "ticks", 0) + 1
        return obs, reward + (self.value if self.ticks >= 60 else 0), *rest


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_a_reward_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    loss: str, value: float, tmp_path: Path
) -> None:
    env = Exploding(AutoresetMode.SAME_STEP)
    env.value = value
    config = DeepSarsaConfig(network=NetworkConfig((7,)), loss=loss, rollout_steps=8)
    agent = DeepSarsa(env.single_observation_space, env.single_action_space, config)
    training = TrainingConfig(10_000, num_envs=5, checkpoint_every=40, evaluate_every=0)
    trainer = Trainer(agent, env, training, folder=tmp_path)
    words = f"reward of lane 0: expected a finite number of float32, got {value}"
    with pytest.raises(FloatingPointError, match=words):
        trainer.run()
    assert agent.steps == 7 * 8 * 5
    assert torch.isfinite(agent.flat).all()
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    assert facts["steps"] == 7 * 8 * 5
    assert torch.equal(tensors["agent.network.head.weight"], agent.network.head.weight)


def test_an_infinite_loss_with_a_finite_gradient_is_not_taken() -> None:
    agent = make_trainer(*CASES[0]).agent
    before = agent.flat.detach().clone()
    with pytest.raises(FloatingPointError, match="got loss inf, norm"):
        agent.descend(agent.network.head.bias.sum() + math.inf)
    assert torch.equal(agent.flat, before)


class Scores:
    """Stands in for `evaluate`: the scores of a list, one after the other."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def __call__(self, *_: Any) -> "Scores":
        return self

    def summary(self, optimum: float | None = None) -> dict[str, Any]:
        score = self.scores.pop(0)
        return {"return_mean": [score] * 3, "success": [score] * 3}


def test_the_best_is_kept_beside_the_last_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidestep.agents.training.evaluate", Scores(0.1, 0.7, 0.3, 0.7, 0.2))
    trainer = make_trainer(*CASES[3], tmp_path, keep_checkpoints=2)
    steps: list[int] = []
    trainer.run(lambda p: steps.append(p.steps) or True if p.evaluation else True)
    assert len(steps) == 5
    assert load_checkpoint(tmp_path / "best.json")[1]["steps"] == steps[1]  # the first of equals
    last = sorted(tmp_path.glob("checkpoint-*.json"))
    assert len(last) == 2
    assert load_checkpoint(last[-1])[1]["steps"] == trainer.agent.steps
    assert len(list(tmp_path.glob("*.safetensors"))) == 3
    assert not list(tmp_path.glob(".*.tmp"))


def test_training_stops_at_the_success_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidestep.agents.training.evaluate", Scores(0.1, 0.89, 0.9, 0.3))
    trainer = make_trainer(*CASES[0], tmp_path, stop_at_success=0.9)
    trainer.run()
    assert 600 <= trainer.agent.steps < 700
    assert load_checkpoint(latest_checkpoint(tmp_path))[1]["steps"] == trainer.agent.steps
    scores = [r["evaluation"]["success"][0] for r in read_log(tmp_path) if "evaluation" in r]
    assert scores == [0.1, 0.89, 0.9]


def test_resuming_where_worlds_cannot_be_restored_begins_on_fresh_seeds(tmp_path: Path) -> None:
    def trainer() -> Trainer:
        env = Native(AutoresetMode.NEXT_STEP)
        config = DeepSarsaConfig(network=NetworkConfig((7,), "gru", 5))
        agent = DeepSarsa(env.single_observation_space, env.single_action_space, config)
        return Trainer(agent, env, TrainingConfig(300, 5, evaluate_every=0), folder=tmp_path)

    first, second = trainer(), trainer()
    first.run()
    assert not second.load_state_dict(*load_checkpoint(latest_checkpoint(tmp_path)))
    assert torch.equal(first.agent.flat, second.agent.flat)
    assert second.collector.inputs.reset.all() and second.agent.steps == first.agent.steps
    line = read_log(tmp_path)[-1]
    assert line == {"steps": first.agent.steps, "resumed": True, "fresh_seeds": True}


def test_a_checkpoint_of_another_architecture_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    make_trainer(*CASES[0], tmp_path, total_steps=100).run()
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    other = make_trainer("deep-sarsa", "gru", SARSA)
    before = bits(other)
    with pytest.raises(ValueError, match=r"checkpoint tensor 'network.encoder.linear.0.weight'"):
        other.load_state_dict(tensors, facts)
    assert bits(other) == before


def test_purposes_have_seeds_of_their_own() -> None:
    seeds = [stream_seed(seed, *who) for seed in range(50) for who in ((0,), (1,), (2,), (0, 64))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_evaluations_tell_the_regret_where_the_optimum_is_known(tmp_path: Path) -> None:
    trainer = make_trainer(*CASES[0], tmp_path)
    trainer.optimum = 0.6
    record = trainer.evaluate()
    assert record is not None
    written = next(r for r in read_log(tmp_path) if "evaluation" in r)["evaluation"]
    assert written == record and written["optimum"] == 0.6
    assert written["regret"][0] == pytest.approx(0.6 - written["return_mean"][0])
    assert written["regret"][1] <= written["regret"][0] <= written["regret"][2]


def test_event_files_of_a_resumed_run_are_those_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(1_700_000_000)  # the files are read in the order of the seconds in their names
    writer = "tensorboard.summary.writer.event_file_writer.time.time"
    monkeypatch.setattr(writer, lambda: next(clock))
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
        events = reader.EventAccumulator(str(folder / "tensorboard"))
        events.Reload()
        timed = ("seconds", "steps_per_second")
        names = [name for name in events.Tags()["scalars"] if name not in timed]
        return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in names}

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    make_trainer(*CASES[0], whole, tensorboard=True).run()
    first = make_trainer(*CASES[0], parts, tensorboard=True)
    with pytest.raises(KeyboardInterrupt):  # killed between two checkpoints
        first.run(lambda progress: _interrupt() if progress.steps > 550 else True)
    assert max(step for step, _ in shown(parts)["loss"]) > 400
    second = make_trainer(*CASES[0], parts, tensorboard=True)
    assert second.load_state_dict(*load_checkpoint(latest_checkpoint(parts)))
    assert second.agent.steps < 400
    second.run()
    want, got = shown(whole), shown(parts)
    assert got == want and len(want["loss"]) > 8 and len(want["evaluation/return_mean"]) > 3


def _interrupt() -> bool:
    raise KeyboardInterrupt
