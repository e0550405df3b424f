"""`sidestep evaluate`: measure a trained run on fresh episodes, from its checkpoint alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from sidestep.agents import evaluate, load_agent, make_vector
from sidestep.agents.checkpoint import write_atomically
from sidestep.agents.evaluation import lanes_for
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.console import console, guarded, parse
from sidestep.scripts.tables import evaluation_table

EXAMPLES = """\
  sidestep evaluate runs/gru
  sidestep evaluate runs/gru --episodes 1000 --seed 1 --sampled"""


@dataclass(frozen=True)
class Options:
    """Play fresh episodes with a trained agent and show the table of the training's end again."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    episodes: int | None = None
    """How many; 10,000, or 100 for foreign envs."""
    seed: int | None = None
    """Of the worlds; the table of the training's end if left out."""
    sampled: bool = False
    """Act with the exploration of the training's end instead of greedily."""
    checkpoint: str = "last"
    """last, best, or the name of one in the folder."""
    out: Path | None = None
    """Also write the figures to this JSON file."""


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    guarded("evaluate", lambda: run(parse(Options, "evaluate", args, EXAMPLES)))


def run(options: Options) -> None:
    """Evaluate one run."""
    torch.set_num_threads(1)
    path = None
    if options.checkpoint != "last":
        path = options.run / f"{options.checkpoint.removesuffix('.json')}.json"
    agent, config = load_agent(options.run, path)
    episodes = options.episodes
    if episodes is None:
        episodes = 10_000 if config.env.id.startswith("sidestep/") else 100
    seed = stream_seed(config.training.seed, FINAL) if options.seed is None else options.seed
    env = make_vector(config.env, lanes_for(episodes, config.env))
    try:
        summary = evaluate(agent, env, episodes, seed, greedy=not options.sampled).summary()
    finally:
        env.close()
    how = "with exploration" if options.sampled else "greedy"
    console.print(evaluation_table(f"{options.run} ({agent.name}, {how}, seed {seed})", summary))
    if options.out is not None:
        record = {"run": str(options.run), "seed": seed, "greedy": not options.sampled, **summary}
        write_atomically(options.out, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
