"""`sidestep bench throughput`: env steps per second while training, ours beside the peers'.

Ours at 1024 lanes with the default settings, learners of Stable-Baselines3 and sb3-contrib with 16
envs, their defaults and the best settings of `sidestep bench peers`; interleaved in one run, on one
thread.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from sidestep.agents import EnvConfig, RunConfig, Trainer, TrainingConfig, make_vector
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.runs import build_agent
from sidestep.scripts.benches.peer_models import RECURRENT, contestants, peer_rate
from sidestep.scripts.benches.records import write_result
from sidestep.scripts.benches.skeleton import Flags, by_turns, shown
from sidestep.scripts.benches.trials import ENV, LEARNERS, Learners, Memories
from sidestep.scripts.shared.console import command
from sidestep.sequence import MEMORIES
from sidestep.sequence.limits import COUNT

EXAMPLES = """\
  sidestep bench throughput
  sidestep bench throughput --memories gru --rounds 5"""

LANES, PEER_STEPS = 1024, 65_536
"""Of ours, and env steps of a peer in a measurement, of which two rollouts at least."""


@dataclass(frozen=True)
class Options(Flags):
    """Measure env steps per second while training."""

    learners: Learners = LEARNERS
    """Ours."""
    memories: Memories = tuple(MEMORIES)
    """Of ours."""
    rounds: int = 3
    """Measurements of each, interleaved; the median counts."""
    steps: int = 400_000
    """Of ours in a measurement."""
    peers: bool = True
    """Measure what is installed of Stable-Baselines3 and sb3-contrib beside ours."""
    limits: ClassVar = {"rounds": COUNT, "steps": COUNT}


def run(options: Options) -> None:
    """Measure everybody, round by round; write the result."""
    torch.set_num_threads(1)
    rates = by_turns("throughput", _measures(options), [()] * options.rounds)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    rows = shown("Env steps per second while training", *rate_rows(medians))
    page = f"""## Training throughput

Env steps per second while training (collecting and learning) on `{ENV}`: ours with {LANES}
lanes and the default settings, the peers with 16 envs in one array, with their defaults and with
the settings of `sidestep bench peers`. One thread, median of {options.rounds} interleaved
measurements.

{rows}"""
    record = {"env": ENV, "lanes": LANES, "rates": rates}
    write_result(options, "throughput", record, page)


def _measures(options: Options) -> dict[str, Callable[[], float]]:
    measures: dict[str, Callable[[], float]] = {}
    for learner in options.learners:
        for memory in options.memories:
            measures[f"{learner}, {memory}"] = partial(our_rate, learner, memory, options.steps)
    peers = contestants(options.out, bool({*options.memories} - {"none"})) if options.peers else {}
    for name, (peer, settings) in peers.items():
        steps = PEER_STEPS // 8 if peer == RECURRENT else PEER_STEPS
        measures[name] = partial(peer_rate, peer, settings, ENV, steps)
    return measures


def our_rate(learner: str, memory: str, steps: int) -> float:
    """Env steps per second of one of ours, from the beginning of a run."""
    agent_config, _ = preset(learner, ENV, memory)
    training = TrainingConfig(total_steps=steps, num_envs=LANES, evaluate_every=0)
    config = RunConfig(learner, EnvConfig(ENV), agent_config, training)
    env = make_vector(config.env, LANES)
    trainer = Trainer(build_agent(config, 0, env=env), env, training)
    trainer.run()
    return trainer.agent.steps / trainer.seconds


def rate_rows(rates: dict[str, float]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the table: rates, and their ratios to the peers'."""
    plain, recurrent = (
        max((v for k, v in rates.items() if k.startswith(f"SB3 {peer}")), default=None)
        for peer in ("PPO", RECURRENT)
    )

    def ratio(rate: float, base: float | None) -> str:
        return f"{rate / base:.1f}" if base else "-"

    rows = [[n, f"{v:,.0f}", ratio(v, plain), ratio(v, recurrent)] for n, v in rates.items()]
    return ["contestant", "steps/s", "of the faster PPO's", "of the faster RecurrentPPO's"], rows


main = command("bench throughput", Options, run, EXAMPLES)
