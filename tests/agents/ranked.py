"""Trainings in shards, the same in however many processes; run as a program it is one of them."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from sidestep.agents import EnvConfig, NetworkConfig, TrainingConfig, make_vector
from sidestep.agents.algorithms.ranks import Ranks, join_ranks
from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.agents.training import Trainer
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

SHARDS, LANES = 4, 13  # of 3, 3, 3 and 4 lanes
WORLD = EnvConfig(kwargs=("obstacle_period=2",))
POLE = EnvConfig("CartPole-v1", max_episode_steps=40, vectorization="sync")
NORMAL = {"normalize_observations": True, "normalize_rewards": True}
EPISODES = {"batch": "episodes", "trace_decay": 1.0}
TRAININGS: dict[str, tuple[str, EnvConfig, dict[str, Any]]] = {
    "sarsa": ("deep-sarsa", WORLD, {"minibatches": 3, "epochs": 2}),
    "sarsa gru": ("deep-sarsa", WORLD, {"network": NetworkConfig((11,), memory="gru")}),
    "sarsa normal": ("deep-sarsa", POLE, {**NORMAL, "reward_limit": 5.0}),
    "sarsa bouts": (
        "deep-sarsa",
        EnvConfig("MountainCar-v0", max_episode_steps=20, vectorization="sync"),
        {"epsilon_repeat": 0.9, "repeat_where_cut": True},
    ),
    "sarsa world bouts": ("deep-sarsa", WORLD, {"epsilon_repeat": 0.9, "epsilon_end": 0.5}),
    "rollouts": ("reinforce", WORLD, {"batch": "rollout", "trace_decay": 0.9}),
    "rollouts gru": (
        "reinforce",
        WORLD,
        {"batch": "rollout", "network": NetworkConfig((11,), memory="gru"), **NORMAL},
    ),
    "episodes": ("reinforce", WORLD, {**EPISODES, "normalize_advantages": True}),
    "episodes gru": (
        "reinforce",
        POLE,
        {**EPISODES, "network": NetworkConfig((11,), memory="gru"), **NORMAL},
    ),
    "mean": ("reinforce", WORLD, {**EPISODES, "baseline": "mean"}),
    "time": ("reinforce", WORLD, {**EPISODES, "baseline": "time"}),
    "leave-one-out": ("reinforce", WORLD, {**EPISODES, "baseline": "leave-one-out"}),
}


def trainer_of(name: str, ranks: Ranks, steps: int = 10**6, folder: Path | None = None) -> Trainer:
    """A training of the table, in this process's shards."""
    learner, world, options = TRAININGS[name]
    row = LEARNERS[learner]
    config = row.config(**{"network": NetworkConfig((11,)), "rollout_steps": 3, **options})
    envs = [make_vector(world, lanes.size) for lanes in ranks.own_lanes]
    checks = [make_vector(world, 2) for _ in ranks.own]
    spaces = envs[0].single_observation_space, envs[0].single_action_space
    agent = row.agent(*spaces, config, 3)
    training = TrainingConfig(steps, LANES, evaluate_every=400, evaluation_episodes=17)
    return Trainer(agent, envs, training, checks, folder, None, None, ranks)


def digest_of(trainer: Trainer) -> str:
    """Of all that a checkpoint would hold."""
    tensors = trainer.state_dict()
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
    return total.hexdigest()


def trained(name: str, updates: int, ranks: Ranks, folder: Path | None) -> dict[str, Any]:
    """What a training comes to: of the first process; the others' is their part of it.

    Where there is a folder it goes on from what is there, and leaves its checkpoints there.
    """
    told: list[Any] = []
    evaluations: list[Any] = []
    own = None if folder is None else folder / name
    trainer = trainer_of(name, ranks, folder=own if ranks.rank == 0 else None)
    if own is not None and own.exists() and list(own.glob("checkpoint-*.json")):
        trainer.load_state_dict(*load_checkpoint(latest_checkpoint(own)))
    ranks.all_of([None for _ in ranks.own])  # nothing is written before all have looked

    def report(progress: Any) -> bool:
        told.append({k: round(v, 12) for k, v in progress.metrics.items()})
        evaluations.append(progress.evaluation)
        return len(told) < updates

    trainer.run(report)
    shown = [evaluation for evaluation in evaluations if evaluation is not None]
    return {
        "digest": digest_of(trainer),
        "metrics": json.dumps([told[0], told[-1]], sort_keys=True),
        "evaluations": json.dumps(shown, sort_keys=True),
        "steps": trainer.agent.steps,
        "updates": len(told),
    }


def alone(names: list[str], updates: int, runs: Path | None = None) -> dict[str, Any]:
    """In this process, all shards one after another, on one thread as everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads are others
    try:
        return {name: trained(name, updates, Ranks(SHARDS, LANES), runs) for name in names}
    finally:
        torch.set_num_threads(threads)


def together(
    names: list[str], updates: int, processes: int, folder: Path, runs: Path | None = None
) -> dict[str, Any]:
    """In several processes."""
    there = "" if runs is None else str(runs)
    launch(processes, [__file__, str(folder / "told.json"), str(updates), there, *names])
    result: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return result


def launch(processes: int, words: list[str], **environment: str) -> None:
    """Run a program in several processes, as torchrun would on one machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    shared = {**os.environ, **place, "OMP_NUM_THREADS": "1", **environment}
    running = [
        subprocess.Popen(
            [sys.executable, *words],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    errors = [process.communicate(timeout=600)[1] for process in running]
    codes = [process.returncode for process in running]
    assert codes == [0] * processes, "\n".join(errors)[-3000:]


def main(path: str, updates: str, there: str, *names: str) -> None:
    """Be one of the processes."""
    torch.set_num_threads(1)
    ranks = join_ranks(SHARDS, LANES)
    runs = Path(there) if there else None
    results = {name: trained(name, int(updates), ranks, runs) for name in names}
    if ranks.rank == 0:
        Path(path).write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
