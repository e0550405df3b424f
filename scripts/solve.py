"""`sidestep solve`: the exact optimum of a world, as figures, as a picture, and in a window."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from sidestep.agents import EnvConfig, evaluate
from sidestep.agents.environments import qualified
from sidestep.agents.evaluation import lanes_for
from sidestep.envs import Solution, Unsolvable, solve
from sidestep.scripts.console import console, guarded, parse, table
from sidestep.scripts.curves import save_figure
from sidestep.scripts.optimum import OptimalPolicy
from sidestep.scripts.tables import evaluation_table
from sidestep.scripts.value_map import value_map

EXAMPLES = """\
  sidestep solve
  sidestep solve --env sidestep/Book-v0 --env-kwargs step_reward=-0.1
  sidestep solve --level my-level.txt --out optimum.png --phase 3
  sidestep solve --watch"""


@dataclass(frozen=True)
class Options:
    """Solve a world exactly: what the best policy brings, and what it does."""

    env: str = "sidestep/MovingObstacles-v0"
    """The id of one of this package's worlds."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value."""
    level: Path | None = None
    """A text file with the map; the env's own if left out."""
    max_episode_steps: int | None = None
    """Time limit in ticks; the env's own if left out."""
    discount: float = 0.99
    """Gamma of the discounted figures, of the picture, and of what is watched."""
    seeds: int | None = None
    """Take the mean over the starts of seeds 0 to N - 1; over all starts if left out."""
    out: Path | None = None
    """Draw V and the policy into this PNG."""
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
        for name in ("seeds", "episodes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if not self.fps > 0:
            raise ValueError(f"fps: expected a positive number, got {self.fps}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a non-negative integer, got {self.seed}")

    def config(self) -> EnvConfig:
        """The env's part of the flags."""
        return EnvConfig(self.env, self.env_kwargs, self.max_episode_steps)

    def keywords(self) -> dict[str, Any]:
        """What `gym.make` is given.

        Raises:
            OSError, ValueError: a level file that cannot be read.
        """
        keywords = self.config().keywords()
        if self.max_episode_steps is not None:
            keywords["max_episode_steps"] = self.max_episode_steps
        if self.level is not None:
            try:
                keywords["level"] = self.level.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise ValueError(f"{self.level}: expected a level as UTF-8 text") from None
        return keywords


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    guarded("solve", lambda: run(parse(Options, "solve", args, EXAMPLES)))


def run(options: Options) -> None:
    """Solve, print the figures; then what else was asked for."""
    env = gym.make(qualified(options.env), **options.keywords())
    seeds = None if options.seeds is None else range(options.seeds)
    try:
        plain: Solution | None = solve(env, 1.0, seeds=seeds)
    except Unsolvable:  # without a discount there may be no finite optimum
        plain = None
    begin = time.perf_counter()  # after the first, which loads compiled code
    solution = solve(env, options.discount, seeds=seeds)
    seconds = time.perf_counter() - begin
    console.print(table("The optimum", [options.env, "value"], rows(solution, plain)))
    console.print(f"Solved in {seconds:.2f} s.")
    if options.out is not None:
        try:
            figure = value_map(solution, options.start, options.phase)
        except IndexError as error:  # its words are those of --start and of --phase's tick
            raise ValueError(str(error)) from None
        save_figure(figure, options.out)
        console.print(f"V and the policy: {options.out}")
    if options.episodes is not None:
        play(options, solution, None if plain is None else plain.mean_return)
    if options.watch:
        watch(options, solution)


def rows(solution: Solution, plain: Solution | None) -> list[list[str]]:
    """The figures of a solution, and of the one without discount where there is one."""
    best = "no finite one" if plain is None else f"{plain.mean_return:.4f}"
    number = len(solution.starts.weight)
    kind = "all" if solution.starts.is_exact else "of the seeds"
    shortest, longest = solution.lengths.min(), solution.lengths.max()
    limit = "none" if solution.max_ticks is None else f"{solution.max_ticks:,} ticks"
    length = f"{solution.mean_length:.3f}"
    if shortest < longest:
        length += f" ({shortest:g} to {longest:g})"
    return [
        ["optimal return", best],
        [f"discounted by {solution.discount:g}", f"{solution.mean_value:.4f}"],
        ["success", f"{solution.success:.2%}"],
        ["mean length", length],
        ["time limit", limit],
        ["starts", f"{number:,} ({kind})"],
        ["states of a start", f"{solution.states:,}"],
        ["memory of the tables", f"{solution.table_bytes / 1e6:,.1f} MB"],
    ]


def play(options: Options, solution: Solution, optimum: float | None) -> None:
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


def watch(options: Options, solution: Solution) -> None:
    """Show the optimum in the window of `sidestep watch`."""
    from sidestep.scripts.viewer import Viewer

    env = gym.make(qualified(options.env), render_mode="rgb_array", **options.keywords())
    try:
        title = f"sidestep solve: {options.env}"
        player = solution.player(env)
        tally = Viewer(env, player, title=title, seed=options.seed, speed=options.fps).run()
    finally:
        env.close()
    console.print(f"{tally.successes} successes in {tally.episodes} episodes")


if __name__ == "__main__":
    main()
