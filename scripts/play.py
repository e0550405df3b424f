"""`sidestep play`: cross the world yourself."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

from sidestep.agents import EnvConfig, make_single
from sidestep.envs import MovingObstaclesEnv
from sidestep.scripts.shared.console import check_folder, command, console, say
from sidestep.scripts.shared.maps import level_of
from sidestep.scripts.viewer.env_pictures import warm_up
from sidestep.scripts.viewer.game import Game
from sidestep.scripts.viewer.race import rival_of, world_of
from sidestep.scripts.viewer.replay import Replay, portable
from sidestep.scripts.viewer.window import REFRESH_RATE
from sidestep.sequence.limits import COUNT, Limit, check_fields

EXAMPLES = """\
  sidestep play
  sidestep play --turns
  sidestep play --env sidestep/Book-v0 --fps 4 --seed 7
  sidestep play --level rush-hour
  sidestep play --level my-level.txt --against optimum
  sidestep play --against runs/gru --out game.json
  sidestep play --replay game.json"""


SEEDS_END = 2**63
"""Replay files know seeds to twice as many, and the following ones count up."""


@dataclass(frozen=True)
class Options:
    """Cross the world yourself: arrow keys go, space stays, R restarts, H helps, Q quits."""

    env: str | None = None
    """Id of one of this package's worlds; sidestep/MovingObstacles-v0, or that of the run that you
    play against, if left out."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value."""
    level: str | None = None
    """A shipped level's name or a text file with a map, instead of the env's own."""
    against: str | None = None
    """Race a trained run, by its folder, or `optimum`: the same episode, both at once."""
    out: Path | None = None
    """Write the episodes that you play to the end into this replay file (.json)."""
    replay: Path | None = None
    """Show a replay file instead of playing."""
    seed: int | None = None
    """Of the first episode; the following ones count up from it. Drawn if left out."""
    fps: float = 3.0
    """Ticks a second."""
    turns: bool = False
    """The world waits for a key before every tick."""
    episodes: int | None = None
    """Stop after so many; when the window is closed if left out."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of a rival's env whose id is `module:id`, or that register what the
    rival is made of."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.fps <= REFRESH_RATE:
            raise ValueError(f"fps: expected more than 0, at most {REFRESH_RATE}, got {self.fps}")
        seed = Limit("0 to less than 2^63", lambda value: 0 <= value < SEEDS_END, whole=True)
        limits = {"episodes": COUNT, "seed": seed}
        check_fields(self, limits)
        if self.out is not None and self.out.suffix != ".json":
            raise ValueError(f"out: expected a name ending in .json, got {self.out}")
        if self.modules and self.against is None:
            raise ValueError("modules: expected --against beside them, got none")
        others = (self.env, self.level, self.against, self.out, self.seed, self.episodes)
        flags = bool(self.env_kwargs) or self.turns
        if self.replay is not None and (flags or any(x is not None for x in others)):
            raise ValueError("replay: expected no flag but --fps beside it, got others")

    def world(self) -> EnvConfig:
        """The world to play in.

        Raises:
            FileNotFoundError, ValueError: an unknown level, or no such run to play against.
        """
        config = world_of(self.against, self.modules) if self.env is None else EnvConfig(self.env)
        words = config.kwargs + self.env_kwargs
        if self.level is not None:
            words = (*words, f"level={level_of(self.level)!r}")
        return replace(config, kwargs=words)


def make_env(config: EnvConfig) -> gym.Env[Any, Any]:
    """The world to play in.

    Raises:
        gymnasium.error.Error: no such id.
        ValueError: not one of this package's worlds, or a malformed level.
    """
    env = make_single(config, render_mode="rgb_array")
    if not isinstance(env.unwrapped, MovingObstaclesEnv):
        env.close()
        raise ValueError(f"env: expected one of this package's worlds, got {config.id}")
    return env


def run(options: Options) -> None:
    """Play, then say the score."""
    if options.replay is not None:
        show(Replay.load(options.replay), options)
        return
    check_folder(options.out, "out")
    config = options.world()
    told = config if options.out is None else portable(config)  # before files may have changed
    env = make_env(config)
    rival = None
    try:
        rival = (
            None if options.against is None else rival_of(options.against, config, options.modules)
        )
        warm_up(env)
        game = Game(
            env,
            f"sidestep play: {config.id}",
            options.seed,
            options.fps,
            options.turns,
            options.episodes,
            rival,
        )
        tally = game.run()
    finally:
        env.close()
        if rival is not None:
            rival.close()
    mean = f", mean return {sum(tally.returns) / len(tally.returns):.2f}" if tally.returns else ""
    console.print(f"{tally.successes} of {tally.episodes} episodes reached the goal{mean}")
    if rival is not None:
        say(f"Against {rival.name}: {game.score.words()}")
    if options.out is not None and game.played:
        Replay(told, "a person", tuple(game.played)).save(options.out)
        say(f"Replay: {options.out}")


def show(replay: Replay, options: Options) -> None:
    """Show a replay in the window of `sidestep watch`."""
    from sidestep.scripts.viewer.replay_session import ReplaySession
    from sidestep.scripts.viewer.screen import Screen

    env = replay.make_env(render_mode="rgb_array")
    try:
        title = f"sidestep play: {options.replay} ({replay.player})"
        Screen([ReplaySession(env, replay)], title=title, speed=options.fps).run()
    finally:
        env.close()


main = command("play", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
