"""A training command in several processes, which torchrun has started."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import torch
from gymnasium.vector import VectorEnv

from sidestep.agents import RunConfig, Trainer, make_vector
from sidestep.agents.algorithms.ranks import Ranks, launched, shares
from sidestep.scripts.shared.console import console
from sidestep.scripts.shared.loop_bar import stoppable

LOST = re.compile("gloo|nccl", re.IGNORECASE)
"""Who fails where a process does not answer."""
Env = VectorEnv[Any, Any, Any]


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Let the first process alone speak; the others tell only what goes wrong once they have met.

    What is wrong with the words of the command is so in all of them.
    """
    rank, size = launched()
    if size == 1:
        yield
        return
    said, console.quiet = io.StringIO(), rank > 0 or console.quiet
    try:
        with contextlib.redirect_stderr(said) if rank else contextlib.nullcontext():
            yield
    except RuntimeError as error:
        if not torch.distributed.is_initialized() or not LOST.search(str(error)):
            raise
        raise SystemExit(f"sidestep: process {rank} has lost another one: {error}") from None
    finally:
        met = torch.distributed.is_initialized()
        for line in said.getvalue().splitlines() if met else []:
            print(f"process {rank}: {line}", file=sys.stderr)
        if met and sys.exc_info()[0] is None:  # else another one may still wait in a collective
            torch.distributed.destroy_process_group()


def restarted() -> bool:
    """Whether torchrun has started the command again because a process had failed."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0


def local_device(device: str, ranks: Ranks) -> str:
    """The device of this process: where each has a GPU, that of its number on the machine."""
    if device != "cuda" or ranks.size == 1:
        return device
    return f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"


def envs_of(run: RunConfig, env: Env, ranks: Ranks) -> Env | list[Env]:
    """Where this process trains: `env`; or an env for each of its shards, and `env` closed."""
    if ranks.shards == 1:
        return env
    env.close()
    return [make_vector(run.env, lanes.size) for lanes in ranks.own_lanes]


def evaluation_envs(run: RunConfig, lanes: int, ranks: Ranks) -> Env | list[Env | None]:
    """Where this process evaluates: an env of so many lanes, or its part of them for each shard."""
    if ranks.shards == 1:
        return make_vector(run.env, lanes)
    counts = [shares(lanes, ranks.shards)[shard].size for shard in ranks.own]
    return [make_vector(run.env, count) if count else None for count in counts]


def close_evaluation(trainer: Trainer) -> None:
    """Close where training was evaluated, and the shards' envs, which nobody needs any more."""
    evaluation, envs = trainer.evaluation_env, list[Env | None]()
    if isinstance(evaluation, VectorEnv):
        envs = [evaluation]
    elif evaluation is not None:
        envs = [*evaluation]
    if trainer.ranks.shards > 1:
        envs += trainer.shards.envs
    for env in envs:
        if env is not None:
            env.close()


def follow(trainer: Trainer) -> None:
    """Train beside the first process, until that says that it is over."""
    with stoppable():  # a signal reaches all of them, and the first decides
        trainer.run()
    close_evaluation(trainer)
