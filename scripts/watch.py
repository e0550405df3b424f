"""`sidestep watch`: see a trained run, or the optimum, act in a window, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import torch
import tyro

from sidestep.scripts.shared.console import console, guarded, parse
from sidestep.scripts.viewer.cast import Cast, check_cast
from sidestep.scripts.viewer.panels.registry import check_panels, key_words, names
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.tiles import MOST_LANES
from sidestep.sequence.limits import COUNT, between, check_fields

EXAMPLES = """\
  sidestep watch runs/gru
  sidestep watch runs/gru --fps 12 --seed 3 --panels values units gates
  sidestep watch runs/gru --sampled --lanes 16
  sidestep watch --optimum --env sidestep/Crossing-v0"""

FASTEST = 1000
"""Ticks a second; more would leave no time for keys."""


@dataclass(frozen=True)
class Options:
    """See an agent act, and why: space pauses, arrows step and go back, H shows all keys."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """The run's folder, or a replay's JSON file; may be left out with --optimum."""
    seed: int | None = None
    """Of the first episode; the following ones count up from it. Drawn if left out."""
    fps: float = 5.0
    """Ticks a second at the beginning."""
    episodes: int | None = None
    """Stop after so many; when the window is closed if left out."""
    lanes: int = 1
    """Worlds side by side, up to 64; a click enlarges one."""
    choices: ClassVar[dict[str, Callable[[], Sequence[str]]]] = {"panels": names}
    """What a command line may offer for a field."""
    panels: tuple[str, ...] = field(default_factory=partial(names, by_default=True))
    """What is shown at first."""
    sampled: bool = False
    """Act with the exploration of the training's end instead of greedily."""
    checkpoint: str = "last"
    """last, best, or the name of one in the folder."""
    optimum: bool = False
    """The exact optimum acts, in the run's world or in that of --env."""
    env: str | None = None
    """The world of the optimum, where there is no run; sidestep/MovingObstacles-v0 if left out."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of that env, as name=value."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of a run's env whose id is `module:id`, or that register what the
    run is made of, or a panel."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.fps <= FASTEST:
            raise ValueError(f"fps: expected more than 0, at most {FASTEST}, got {self.fps}")
        limits = {"episodes": COUNT, "lanes": between(1, MOST_LANES)}
        check_fields(self, limits)
        if self.lanes > 1 and self.run is not None and self.run.suffix == ".json":
            raise ValueError(f"lanes: expected 1 for a replay, got {self.lanes}")
        check_cast(self)
        check_panels(self.panels)


def examples() -> str:
    """The end of `--help`."""
    return f"{EXAMPLES}\n\nPanels and their keys: {key_words()}."


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    guarded("watch", lambda: watch(parse(Options, "watch", args, examples)))


def watch(options: Options) -> None:
    """Show one run, then say the score."""
    torch.set_num_threads(1)
    cast = Cast.of(options)
    try:
        screen = Screen(
            cast.sessions(options.lanes, options.seed),
            title=f"sidestep watch: {cast.title}",
            speed=options.fps,
            episodes=options.episodes,
            panels=options.panels,
        )
        tally = screen.run()
    finally:
        cast.close()
    mean = f", mean return {sum(tally.returns) / len(tally.returns):.2f}" if tally.returns else ""
    console.print(f"{tally.successes} successes in {tally.episodes} episodes{mean}")


if __name__ == "__main__":
    main()
