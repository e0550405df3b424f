"""One training in one process and in several: what each costs of processor time."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from sidestep.agents import EnvConfig, RunConfig, Trainer, TrainingConfig, make_vector, preset
from sidestep.agents.algorithms.ranks import join_ranks
from sidestep.agents.runs import build_agent
from sidestep.scripts.benches.skeleton import by_turns, shown

LANES = 1024
"""Of each process."""
LEARNERS = (("reinforce", "gru"), ("deep-sarsa", "none"))
PLAIN, UNDER, TWO = "one process", "one, started by torchrun", "two processes"


class Cost(NamedTuple):
    """What all processes of a training have come to."""

    steps: int
    processor: float
    """Seconds, summed over the processes."""
    seconds: float
    """By the clock."""


def measures(updates: int, lanes: int) -> dict[str, Callable[[], Cost]]:
    """Each learner in one process, in one that torchrun has started, and in two.

    Args:
        updates: that are timed.
        lanes: of each process.
    """
    found: dict[str, Callable[[], Cost]] = {}
    for learner, memory in LEARNERS:
        words = [learner, memory, str(lanes), str(updates)]
        for name, processes in ((PLAIN, 0), (UNDER, 1), (TWO, 2)):
            found[f"{learner}, {memory}: {name}"] = partial(launched, words, processes)
    return found


def launched(words: list[str], processes: int) -> Cost:
    """Train in processes of its own; 0: in one without torchrun."""
    launcher = ["torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", str(processes), "-m"]
    module = ["-m", *(launcher if processes else []), __name__]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *module, *words]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {process.stderr[-2000:]}")
    lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    return Cost(
        lines[0]["steps"], sum(x["processor"] for x in lines), max(x["seconds"] for x in lines)
    )


def measure(rounds: int, updates: int, lanes: int = LANES) -> dict[str, Any]:
    """Train by turns; returns a record of what each training cost."""
    found = by_turns("ranks", measures(updates, lanes), [()] * rounds)
    costs = {name: [cost._asdict() for cost in each] for name, each in found.items()}
    return {"lanes": lanes, "updates": updates, "costs": costs}


def efficiency(found: dict[str, list[Cost]], training: str, name: str) -> float:
    """Steps for a second of processor time, by those of one process without torchrun."""
    ours, plain = (found[f"{training}: {kind}"] for kind in (name, PLAIN))
    return statistics.median(
        (a.steps / a.processor) / (b.steps / b.processor) for a, b in zip(ours, plain, strict=True)
    )


def page(record: dict[str, Any]) -> str:
    """The section on one training over several processes."""
    found = {name: [Cost(**one) for one in each] for name, each in record["costs"].items()}
    rows = []
    for training in dict.fromkeys(name.partition(":")[0] for name in found):
        plain = [one.steps / one.processor for one in found[f"{training}: {PLAIN}"]]
        shares = [efficiency(found, training, name) for name in (UNDER, TWO)]
        rate = f"{statistics.median(plain):,.0f}"
        rows.append([training, rate, *(f"{share:.2f}" for share in shares)])
    columns = ["learner, memory", "one process, steps/s", "started by torchrun", "two processes"]
    markdown = shown("One training over processes", columns, rows)
    rounds = len(next(iter(found.values())))
    return f"""### One training over processes

Learners with their presets on the default world, {record["lanes"]:,} lanes a process: env steps
for a second of processor time, summed over the processes; then the ratios of one process that
torchrun has started, and of two that train together, to one without torchrun.
{record["updates"]} updates after as many that are not counted, medians of {rounds} interleaved
rounds.

{markdown}"""


def train(learner: str, memory: str, lanes: str, updates: str) -> None:
    """Be one of the processes: train, and print what it cost."""
    torch.set_num_threads(1)
    size = int(os.environ.get("WORLD_SIZE", 1))
    total = int(lanes) * size
    ranks = join_ranks(None, total)
    config, _ = preset(learner, EnvConfig(), memory)
    training = TrainingConfig(10**9, total, evaluate_every=0)
    run = RunConfig(learner, EnvConfig(), config, training)
    envs = [make_vector(run.env, part.size) for part in ranks.own_lanes]
    trainer = Trainer(build_agent(run, 0, env=envs[0]), envs, training, ranks=ranks)
    updates_made = 0

    def until(progress: Any) -> bool:
        nonlocal updates_made
        updates_made += 1
        return updates_made % int(updates) != 0

    trainer.run(until)  # the caches are warm, and what is compiled is
    before, processor, clock = trainer.agent.steps, time.process_time(), time.perf_counter()
    trainer.run(until)
    told = {
        "steps": trainer.agent.steps - before,
        "processor": time.process_time() - processor,
        "seconds": time.perf_counter() - clock,
    }
    sys.stdout.write(json.dumps(told) + "\n")  # in one piece: others write to the same pipe
    sys.stdout.flush()
    if ranks.size > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    train(*sys.argv[1:])
