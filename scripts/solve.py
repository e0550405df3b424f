"""`sidestep solve`: the exact optimum of a world, as figures, as a picture, and in a window."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from sidestep.agents import EnvConfig, evaluate
from sidestep.agents.environments import lanes_for, qualified, spec_of
from sidestep.envs import (
    LevelSolutions,
    Unsolvable,
    best_memoryless,
    best_remembering,
    solve_levels,
)
from sidestep.envs.solver.worlds import rules_of
from sidestep.scripts.figures.value_map import value_map
from sidestep.scripts.shared.console import check_folder, command, console, say, table
from sidestep.scripts.shared.curves import check_picture, save_figure
from sidestep.scripts.shared.maps import level_of
from sidestep.scripts.shared.optimum import OptimalPolicy, level_progress
from sidestep.scripts.shared.tables import evaluation_table
from sidestep.sequence.limits import COUNT, NATURAL, POSITIVE, check_fields

EXAMPLES = """\
  sidestep solve
  sidestep solve --env sidestep/Book-v0 --env-kwargs step_reward=-0.1
  sidestep solve --level rush-hour
  sidestep solve --level my-level.txt --out optimum.png --phase 3
  sidestep solve --env sidestep/Crossing-v0 --env-kwargs split=test --seeds 16
  sidestep solve --env sidestep/Glimpse-v0 --shown
  sidestep solve --watch"""


@dataclass(frozen=True)
class Options:
    """Solve a world exactly: what the best policy brings, and what it does."""

    env: str = "sidestep/MovingObstacles-v0"
    """The id of one of this package's worlds."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value."""
    level: str | None = None
    """A shipped level's name or a text file with a map; the env's own if left out."""
    max_episode_steps: int | None = None
    """Time limit in ticks; the env's own if left out."""
    discount: float = 0.99
    """Gamma of the discounted figures, of the picture, and of what is watched."""
    seeds: int | None = None
    """Take the mean over the starts of seeds 0 to N - 1, on each level; over all starts if left
    out."""
    shown: bool = False
    """Also tell what can be had by who sees only what the world shows: with a memory of all of it,
    exactly, and without any, by a search that takes minutes."""
    out: Path | None = None
    """Draw V and the policy into this .png, .svg or .pdf."""
    number: int = 0
    """Number of the level in the picture, where there are several."""
    start: int = 0
    """Number of the start in the picture."""
    phase: int = 0
    """Tick of the episode in the picture."""
    episodes: int | None = None
    """Also play so many episodes, and show their table."""
    watch: bool = False
    """See the optimum act in a window."""
    fps: float = 5.0
    """Ticks a second in the window."""
    seed: int = 0
    """Of the first episode that is played or watched."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {
            "seeds": COUNT,
            "episodes": COUNT,
            "fps": POSITIVE,
            "seed": NATURAL,
            "number": NATURAL,
            "start": NATURAL,
            "phase": NATURAL,
        }
        check_fields(self, limits)

    def config(self) -> EnvConfig:
        """The env's part of the flags."""
        return EnvConfig(self.env, self.env_kwargs, self.max_episode_steps)

    def keywords(self) -> dict[str, Any]:
        """What `gym.make` is given.

        Raises:
            ValueError: an unknown level, or a file that cannot be read.
        """
        keywords = self.config().keywords()
        if self.max_episode_steps is not None:
            keywords["max_episode_steps"] = self.max_episode_steps
        if self.level is not None:
            if "level" in keywords:
                raise ValueError("level: expected --level or level= of --env-kwargs, got both")
            keywords["level"] = level_of(self.level)
        return keywords


def run(options: Options) -> None:
    """Solve, print the figures; then what else was asked for."""
    check_folder(options.out, "out")
    check_picture(options.out, "out")
    spec_of(options.config())
    env = gym.make(qualified(options.env), **options.keywords())
    plain, solution, seconds = solved(env, options)
    head = [options.env, "value"]
    figures = rows(solution, plain, options.seeds)
    if options.shown:
        figures += rows_of_the_shown(env, options)
    console.print(table("The optimum", head, figures))
    console.print(f"Solved in {seconds:.2f} s.")
    if options.out is not None:
        draw(options, solution, options.out)
    if options.episodes is not None:
        play(options, solution, None if plain is None else plain.mean_return)
    if options.watch:
        watch(options, solution)


def solved(
    env: gym.Env[Any, Any], options: Options
) -> tuple[LevelSolutions | None, LevelSolutions, float]:
    """The solution without discount, where there is one; with it; and the seconds that took."""
    seeds = None if options.seeds is None else range(options.seeds)
    levels = len(rules_of(env)[0].maps)
    with level_progress(levels) as report:
        try:
            plain: LevelSolutions | None = solve_levels(env, 1.0, seeds=seeds, report=report)
        except Unsolvable:  # without a discount there may be no finite optimum
            plain = None
    begin = time.perf_counter()  # after the first, which loads compiled code
    with level_progress(levels) as report:
        solution = solve_levels(env, options.discount, seeds=seeds, report=report)
    return plain, solution, time.perf_counter() - begin


def draw(options: Options, solution: LevelSolutions, path: Path) -> None:
    """The picture of V and the policy on one level."""
    levels = len(solution.levels)
    if not 0 <= options.number < levels:
        raise ValueError(f"number: expected 0 to {levels - 1}, got {options.number}")
    try:
        figure = value_map(solution.levels[options.number], options.start, options.phase)
    except IndexError as error:  # its words are those of --start and of --phase's tick
        raise ValueError(str(error)) from None
    save_figure(figure, path)
    say(f"V and the policy: {path}")


def rows(
    solution: LevelSolutions, plain: LevelSolutions | None, seeds: int | None
) -> list[list[str]]:
    """The figures of a solution, and of the one without discount where there is one."""
    best = "no finite one" if plain is None else f"{plain.mean_return:.4f}"
    levels = solution.levels
    kind = "all" if solution.is_exact else "of the seeds"
    lengths = np.concatenate([level.lengths for level in levels])
    limit = "none" if solution.max_ticks is None else f"{solution.max_ticks:,} ticks"
    length = f"{solution.mean_length:.3f}"
    if lengths.min() < lengths.max():
        length += f" ({lengths.min():g} to {lengths.max():g})"
    figures = [
        ["optimal return", best],
        [f"discounted by {solution.discount:g}", f"{solution.mean_value:.4f}"],
        ["success", f"{solution.success:.2%}"],
        ["mean length", length],
        ["time limit", limit],
        ["starts", f"{solution.number_of_starts:,} ({kind})"],
        ["states of a start", _range([level.states for level in levels])],
        ["memory of the tables", f"{sum(level.table_bytes for level in levels) / 1e6:,.1f} MB"],
    ]
    if len(levels) > 1:
        figures.insert(0, ["levels", f"{len(levels):,}"])
        if plain is not None:
            returns = np.array([level.mean_return for level in plain.levels])
            for name, n in (("hardest", returns.argmin()), ("easiest", returns.argmax())):
                figures.insert(3, [f"{name} level", f"{returns[n]:.4f} (number {n})"])
    return figures


def rows_of_the_shown(env: gym.Env[Any, Any], options: Options) -> list[list[str]]:
    """What the best policies reach that see no more than the env's observations."""
    seeds = None if options.seeds is None else range(options.seeds)
    with_it = best_remembering(env, seeds=seeds)
    console.print("Searching the best policy without a memory ...")
    without = best_memoryless(env, seeds=seeds, restarts=1)
    found = (("remembering all that is shown", with_it), ("without a memory (search)", without))
    return [[name, f"{best.mean_return:.4f}, success {best.success:.2%}"] for name, best in found]


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def play(options: Options, solution: LevelSolutions, optimum: float | None) -> None:
    """Evaluate the optimal policy as any other."""
    assert options.episodes is not None
    if not solution.mean_length < float("inf"):
        raise ValueError("episodes: expected ones that end, the optimum never does; set a limit")
    lanes = lanes_for(options.episodes, options.config())
    env = gym.make_vec(qualified(options.env), lanes, **options.keywords())
    try:
        policy = OptimalPolicy(solution, env)
        summary = evaluate(policy, env, options.episodes, options.seed).summary(optimum)
    finally:
        env.close()
    console.print(evaluation_table(f"The optimum, played from seed {options.seed} on", summary))


def watch(options: Options, solution: LevelSolutions) -> None:
    """Show the optimum in the window of `sidestep watch`."""
    from sidestep.scripts.viewer.env_pictures import warm_up
    from sidestep.scripts.viewer.screen import Viewer

    env = gym.make(qualified(options.env), render_mode="rgb_array", **options.keywords())
    warm_up(env)
    try:
        title = f"sidestep solve: {options.env}"
        player = solution.player(env)
        tally = Viewer(env, player, title=title, seed=options.seed, speed=options.fps).run()
    finally:
        env.close()
    console.print(f"{tally.successes} successes in {tally.episodes} episodes")


main = command("solve", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
