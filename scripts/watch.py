"""`sidestep watch`: see a trained run, or the optimum, act in a window, and why."""

from dataclasses import dataclass

import torch

from sidestep.scripts.shared.console import command, console
from sidestep.scripts.viewer.panels.registry import key_words
from sidestep.scripts.viewer.players import Flags, Players
from sidestep.scripts.viewer.screen import Screen
from sidestep.sequence.limits import COUNT, check_fields

EXAMPLES = """\
  sidestep watch runs/gru
  sidestep watch runs/gru --fps 12 --seed 3 --panels values units gates
  sidestep watch runs/gru --sampled --lanes 16
  sidestep watch runs/gru --set z=1
  sidestep watch runs/crossing --env-kwargs split=test
  sidestep watch --optimum --env sidestep/Crossing-v0"""

FASTEST = 1000
"""Ticks a second; more would leave no time for keys."""


@dataclass(frozen=True)
class Options(Flags):
    """See an agent act, and why: space pauses, arrows step and go back, H shows all keys."""

    fps: float = 5.0
    """Ticks a second at the beginning."""
    episodes: int | None = None
    """Stop after so many; when the window is closed if left out."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.fps <= FASTEST:
            raise ValueError(f"fps: expected more than 0, at most {FASTEST}, got {self.fps}")
        check_fields(self, {"episodes": COUNT})
        super().__post_init__()


def examples() -> str:
    """The end of `--help`."""
    return f"{EXAMPLES}\n\nPanels and their keys: {key_words()}."


def watch(options: Options) -> None:
    """Show one run, then say the score."""
    torch.set_num_threads(1)
    players = Players.of(options)
    try:
        screen = Screen(
            players.sessions(options.lanes, options.seed),
            title=f"sidestep watch: {players.title}",
            speed=options.fps,
            episodes=options.episodes,
            panels=options.shown(),
        )
        tally = screen.run()
    finally:
        players.close()
    mean = f", mean return {sum(tally.returns) / len(tally.returns):.2f}" if tally.returns else ""
    console.print(f"{tally.successes} successes in {tally.episodes} episodes{mean}")


main = command("watch", Options, watch, examples)

if __name__ == "__main__":
    main()
