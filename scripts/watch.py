"""`sidestep watch`: see a trained run act in a window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from sidestep.agents import load_agent, make_single
from sidestep.agents.player import Player
from sidestep.scripts.console import console, guarded, parse
from sidestep.scripts.viewer import Viewer

EXAMPLES = """\
  sidestep watch runs/gru
  sidestep watch runs/gru --fps 12 --seed 3
  sidestep watch runs/gru --sampled --episodes 20"""


@dataclass(frozen=True)
class Options:
    """See a trained agent act: space pauses, arrows step and change the speed, H shows all keys."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    seed: int | None = None
    """Of the first episode; the following ones go on from there."""
    fps: float = 5.0
    """Ticks a second at the beginning."""
    episodes: int | None = None
    """Stop after so many; when the window is closed if left out."""
    sampled: bool = False
    """Act with the exploration of the training's end instead of greedily."""
    checkpoint: str = "last"
    """last, best, or the name of one in the folder."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.fps > 0:
            raise ValueError(f"fps: expected a positive number, got {self.fps}")
        if self.episodes is not None and self.episodes < 1:
            raise ValueError(f"episodes: expected at least 1, got {self.episodes}")
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed: expected a non-negative integer, got {self.seed}")


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    guarded("watch", lambda: watch(parse(Options, "watch", args, EXAMPLES)))


def watch(options: Options) -> None:
    """Show one run, then say the score."""
    torch.set_num_threads(1)
    path = None
    if options.checkpoint != "last":
        path = options.run / f"{options.checkpoint.removesuffix('.json')}.json"
    agent, config = load_agent(options.run, path)
    env = make_single(config.env, render_mode="rgb_array")
    try:
        viewer = Viewer(
            env,
            Player(agent, greedy=not options.sampled),
            title=f"sidestep watch: {options.run.name} ({agent.name})",
            seed=options.seed,
            speed=options.fps,
            episodes=options.episodes,
        )
        tally = viewer.run()
    finally:
        env.close()
    mean = f", mean return {sum(tally.returns) / len(tally.returns):.2f}" if tally.returns else ""
    console.print(f"{tally.successes} successes in {tally.episodes} episodes{mean}")


if __name__ == "__main__":
    main()
