"""`sidestep bench learning`: how long the default settings train to 95 and 99 % greedy success.

Every learner and memory, seed by seed and one after the other in one run, on one thread; beside
them Stable-Baselines3's learners with 16 envs where installed, each with its defaults and with the
best settings of `sidestep bench peers`.
Evaluation is not counted as training time, for anybody.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from sidestep.agents import EnvConfig
from sidestep.scripts.benches.learning_curves import (
    LEVELS,
    Trials,
    learning_figure,
    record_of,
    slim,
    source_of,
    trials_of,
)
from sidestep.scripts.benches.peer_models import Settings, contestants, peer_trial, told
from sidestep.scripts.benches.records import known_result, write_figure, write_result
from sidestep.scripts.benches.skeleton import Flags, by_turns
from sidestep.scripts.benches.trials import (
    ENV,
    EPISODES,
    EVERY,
    FINAL_EPISODES,
    LEARNERS,
    Learners,
    Memories,
    Trial,
    train_trial,
)
from sidestep.scripts.shared.console import command, console, say, table
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence import MEMORIES

EXAMPLES = """\
  sidestep bench learning
  sidestep bench learning --seeds 3 --memories none gru --learners deep-sarsa"""


@dataclass(frozen=True)
class Options(Flags):
    """Measure seconds of training to 95 and 99 % greedy success on the default world."""

    seeds: int = 10
    """Runs of each contestant."""
    learners: Learners = LEARNERS
    """Ours."""
    memories: Memories = tuple(MEMORIES)
    """Of ours."""
    peers: bool = True
    """Measure what is installed of Stable-Baselines3 and sb3-contrib beside ours."""
    peer_seconds: float = 60.0
    """Of a peer's training; it is given up where it has not got there by then."""
    total_steps: int | None = None
    """Of ours; the defaults' if left out."""
    redraw: bool = False
    """Measure nothing: draw the figure of results/learning.json again."""


def run(options: Options) -> None:
    """Measure everybody, interleaved over seeds; write the result after every round."""
    if options.redraw:
        redraw(options.out)
        return
    torch.set_num_threads(1)
    seeds = [(seed,) for seed in range(options.seeds)]
    trials = by_turns("learning", _contestants(options), seeds, partial(_write, options))
    console.print(table("Seconds of training, median over seeds", *_rows(trials)))


def _contestants(options: Options) -> dict[str, Callable[[int], Trial]]:
    found: dict[str, Callable[[int], Trial]] = {}
    for learner in options.learners:
        for memory in options.memories:
            found[f"{learner}, {memory}"] = partial(
                train_trial, learner, memory, EnvConfig(ENV), total_steps=options.total_steps
            )
    for name, (peer, settings) in _peers(options).items():
        found[name] = partial(
            peer_trial, peer, settings, EnvConfig(ENV), limit=options.peer_seconds
        )
    return found


def _peers(options: Options) -> dict[str, tuple[str, Settings]]:
    return contestants(options.out, bool({*options.memories} - {"none"})) if options.peers else {}


def _settings(options: Options) -> str:
    """What the searched peers were set to, as a paragraph."""
    lines = [f"- {name}: `{told(words)}`" for name, (_, words) in _peers(options).items() if words]
    begin = "\n\nPeers have their defaults, or the best settings of `sidestep bench peers`:\n\n"
    return begin + "\n".join(lines) if lines else ""


def _median(values: list[float | None]) -> str:
    """The median, where a run that never got there counts as infinitely long."""
    middle = statistics.median([float("inf") if v is None else v for v in values])
    return "never" if middle == float("inf") else f"{middle:.2f}"


def _thousands(values: list[int | None]) -> str:
    """The median of numbers of steps, likewise."""
    middle = statistics.median([float("inf") if v is None else v for v in values])
    return "never" if middle == float("inf") else f"{middle / 1000:,.0f} k"


def _rows(trials: Trials) -> tuple[list[str], list[list[str]]]:
    columns = ["contestant", "s to 95 %", "s to 99 %", "steps to 95 %", "steps to 99 %"]
    columns += ["steps/s", "worst final success", "median final regret"]
    rows = []
    for name, runs in trials.items():
        finals = [o.success for t in runs for o in t.outcomes]
        regrets = [o.regret for t in runs for o in t.outcomes if o.regret is not None]
        rows.append(
            [
                name,
                *(_median([t.reached(level) for t in runs]) for level in LEVELS),
                *(_thousands([t.reached_steps(level) for t in runs]) for level in LEVELS),
                f"{statistics.median(t.steps / t.seconds for t in runs):,.0f}",
                f"{min(finals):.2%}" if finals else "-",
                f"{statistics.median(regrets):.4f}" if regrets else "-",
            ]
        )
    return columns, rows


def redraw(out: Path) -> None:
    """Draw the figure of a record again.

    Raises:
        FileNotFoundError: there is no record.
    """
    record = known_result(out, "learning")
    if not record:
        path = out / "results" / "learning.json"
        raise FileNotFoundError(f"{path}: expected the record of `sidestep bench learning`")
    _draw(out, trials_of(record))


def _draw(out: Path, trials: Trials) -> None:
    learners = [name for name in LEARNERS if any(n.startswith(name) for n in trials)]
    figure = learning_figure(trials, tuple(learners))
    say(f"Figure: {write_figure(out, 'learning', figure, source_of(trials))}")


def _write(options: Options, seeds: int, measured: Trials) -> None:
    trials = {name: [slim(trial) for trial in runs] for name, runs in measured.items()}
    _draw(options.out, trials)
    record = {
        "env": ENV,
        "seeds": seeds,
        "trials": record_of(trials),
    }
    page = f"""## Learning

Seconds of training on `{ENV}` until greedy episodes reach the goal, median over {seeds}
seeds, one thread, default settings; evaluation ({EPISODES} episodes every {EVERY:,} steps) is not
counted. The last columns are the worst seed's greedy success, and the median over seeds of the
regret (the exact optimum of `sidestep solve` minus the mean return), over {FINAL_EPISODES:,} fresh
episodes at the end of training. A peer is trained for {options.peer_seconds:.0f} s: "never" means
not by then. Its envs are 16 lanes of one array.

{markdown_table(*_rows(trials))}

![Greedy success over seconds of training and over env steps](figures/learning.png)

The line is the mean over seeds, the band reaches from the worst seed to the best; a run that has
ended stays where it was.{_settings(options)}"""
    write_result(options, "learning", record, page, finished=seeds == options.seeds)


main = command("bench learning", Options, run, EXAMPLES)
