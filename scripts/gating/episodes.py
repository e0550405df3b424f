"""An agent's episodes with its gates free and forced: one looked into, many counted."""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from sidestep.agents import Agent
from sidestep.agents.acting.evaluation import proportion_interval
from sidestep.agents.acting.infos import read_flag
from sidestep.agents.insight import Insight
from sidestep.agents.player import Player
from sidestep.envs import MovingObstaclesEnv
from sidestep.scripts.gating.course import Course, course_of_insights
from sidestep.scripts.shared.forcing import Forcing

LONGEST = 10_000
"""Ticks of an episode."""
FEW = 4
"""Numbers of an observation that stand in a table."""


class Tick(NamedTuple):
    """One tick of an episode that is looked into."""

    seen: str
    """The observation in words; "" where there are none."""
    action: int
    insight: Insight


class Played(NamedTuple):
    """An episode."""

    total: float
    """Sum of the rewards."""
    length: int
    """In ticks."""
    success: bool | None
    """None: the env does not tell."""
    ticks: tuple[Tick, ...] = ()
    """Where it was looked into."""

    def __str__(self) -> str:
        """How it went, in words."""
        ends = {None: f"return {self.total:.2f}", True: "at the goal", False: "not at the goal"}
        return f"{self.length} ticks, {ends[self.success]}"


class ForcedPlayer(Player):
    """Plays with forced gates from a tick of every episode on, and with its own before.

    Args:
        agent: whose; left as it is.
        forcing: of its memory's gates.
        start: the first tick that is forced.
    """

    def __init__(self, agent: Agent, forcing: Forcing, start: int = 0) -> None:
        """Make the forced agent.

        Raises:
            ValueError: no memory, none with gates, or not these.
        """
        super().__init__(agent)
        self.own, self.forced, self.start, self.tick = agent, forcing.applied(agent), start, 0

    def act(
        self, obs: Any, episode_start: bool, reward: float = 0.0, info: dict[str, Any] | None = None
    ) -> int:
        """The action for `obs`; see `Player.act`."""
        self.tick = 0 if episode_start else self.tick + 1
        self.agent = self.forced if self.tick >= self.start else self.own
        return super().act(obs, episode_start, reward, info)


def play(env: gym.Env[Any, Any], player: Player, seed: int, look: bool = False) -> Played:
    """Play an episode.

    Args:
        env: single; not closed.
        player: at the controls.
        seed: of the episode.
        look: into every tick.

    Raises:
        ValueError: it does not end.
    """
    obs, info = env.reset(seed=seed)
    reward, total, ticks = 0.0, 0.0, list[Tick]()
    for tick in range(LONGEST):
        action = player.act(obs, tick == 0, reward, info)
        if look:
            assert player.impression is not None
            ticks.append(Tick(in_words(env, obs), action, player.impression.insight))
        obs, gained, terminated, truncated, info = env.step(action)
        reward = float(gained)
        total += reward
        if terminated or truncated:
            success = read_flag(info, "is_success")
            return Played(total, tick + 1, success, tuple(ticks))
    raise ValueError(f"env: expected an episode that ends within {LONGEST:,} ticks, got none")


def in_words(env: gym.Env[Any, Any], obs: Any) -> str:
    """An observation in a word: the agent's cell in our worlds, else its few numbers."""
    world = env.unwrapped
    if isinstance(world, MovingObstaclesEnv):
        x, y = world.scene().agent
        return f"({x}, {y})"
    numbers = np.ravel(obs) if isinstance(obs, np.ndarray | int | np.integer) else np.zeros(0)
    return " ".join(f"{number:.3g}" for number in numbers) if 0 < len(numbers) <= FEW else ""


def course_of(played: Played, names: tuple[str, ...], forcing: Forcing) -> Course:
    """The course of an episode that was looked into; right is the score of what was done.

    Args:
        played: the episode.
        names: of the actions.
        forcing: says how z is counted.
    """
    labels = [(str(t), tick.seen, names[tick.action]) for t, tick in enumerate(played.ticks)]
    right = [tick.insight.scores[tick.action] for tick in played.ticks]
    return course_of_insights([tick.insight for tick in played.ticks], forcing, labels, right)


class Score(NamedTuple):
    """What became of several episodes."""

    successes: int | None
    """None: the env does not tell."""
    episodes: int
    total: float
    """Mean return."""
    length: float
    """Mean ticks."""

    @classmethod
    def of(cls, played: list[Played]) -> "Score":
        """Count them."""
        told = [one.success for one in played]
        tells = any(success is not None for success in told)
        mean = float(np.mean([one.total for one in played]))
        length = float(np.mean([one.length for one in played]))
        return cls(sum(map(bool, told)) if tells else None, len(played), mean, length)

    def cells(self) -> list[str]:
        """Success with its 95 % interval, mean return, mean length."""
        success = "-"
        if self.successes is not None:
            share, low, high = proportion_interval(self.successes, self.episodes)
            success = f"{share:.1%} [{low:.1%}, {high:.1%}]"
        return [success, f"{self.total:.3f}", f"{self.length:.1f}"]
