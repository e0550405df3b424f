"""A race against an agent or the optimum: the same episode, both at once."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pygame

from sidestep.agents import EnvConfig, load_agent, make_single
from sidestep.agents.acting.policy import SinglePolicy
from sidestep.agents.environments import space_in_words
from sidestep.agents.player import Player
from sidestep.agents.runs import read_checkpoint
from sidestep.envs import Level, MovingObstaclesEnv, solve_levels
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette
from sidestep.envs.drawing.screen_window import fitted
from sidestep.scripts.shared.modules import import_noted
from sidestep.scripts.viewer.env_pictures import drawing_of, picture_size
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.tally import Tally
from sidestep.scripts.viewer.view import Drawing, line_within

OPTIMUM = "optimum"
CAPTION = 26
"""Height of the line above each picture."""


class Rival:
    """Plays the same episodes in a world of its own.

    Args:
        env: with render_mode="rgb_array"; closed by `close`.
        policy: what acts.
        name: in words.
    """

    def __init__(self, env: gym.Env[Any, Any], policy: SinglePolicy, name: str) -> None:
        """Nothing is played yet."""
        self.env, self.policy, self.name, self.tally = env, policy, name, Tally()
        self.draw = drawing_of(env)
        self._obs: Any = None
        self._info: dict[str, Any] = {}
        self._reward = 0.0

    def begin(self, seed: int) -> None:
        """Begin the episode of a seed."""
        self._obs, self._info = self.env.reset(seed=seed)
        self._reward = 0.0
        self.tally.begin()

    def tick(self) -> None:
        """Play one tick; nothing once the episode is over."""
        if self.tally.over:
            return
        action = self.policy.act(self._obs, self.tally.ticks == 0, self._reward, self._info)
        self._obs, reward, terminated, truncated, self._info = self.env.step(action)
        self._reward = float(reward)
        over = bool(terminated or truncated)
        self.tally.count(self._reward, over, bool(self._info["is_success"]))

    def finish(self) -> None:
        """Play to the end of the episode."""
        while not self.tally.over:
            self.tick()

    def close(self) -> None:
        """Close its env."""
        self.env.close()


class Score:
    """Races won, drawn and lost."""

    def __init__(self) -> None:
        """None yet."""
        self.won = self.drawn = self.lost = 0

    def count(self, mine: float, theirs: float) -> None:
        """A race is over; the larger return wins it."""
        if abs(mine - theirs) < 1e-9:
            self.drawn += 1
        elif mine > theirs:
            self.won += 1
        else:
            self.lost += 1

    def words(self) -> str:
        """In a few words."""
        return f"{self.won} won, {self.drawn} drawn, {self.lost} lost"


def verdict(mine: float, theirs: float, name: str) -> str:
    """Who won, by how much."""
    if abs(mine - theirs) < 1e-9:
        return f"A draw with {name}, {mine:.2f} each."
    words = f"by {abs(mine - theirs):.2f} ({mine:.2f} to {theirs:.2f})"
    return f"You beat {name} {words}." if mine > theirs else f"{name} beats you {words}."


def world_of(against: str | None, modules: tuple[str, ...] = ()) -> EnvConfig:
    """The world that is played in where no flag says another: that of the rival's training.

    Raises:
        FileNotFoundError, ValueError: no such run.
    """
    if against is None or against == OPTIMUM:
        return EnvConfig()
    import_noted(Path(against))
    return read_checkpoint(Path(against), modules=modules).config.env


def rival_of(against: str, config: EnvConfig, modules: tuple[str, ...] = ()) -> Rival:
    """The rival that `--against` names.

    Args:
        against: `optimum`, or a run's folder.
        config: the world of the race.
        modules: that may be imported for the run's env.

    Raises:
        FileNotFoundError, ValueError: no such run, one that was trained on other observations, or
            a world that cannot be solved.
    """
    env = make_single(config, render_mode="rgb_array")
    try:
        if against == OPTIMUM:
            # other starts than seed 0's are solved as they come up
            return Rival(env, solve_levels(env, seeds=[0]).player(env), "the optimum")
        import_noted(Path(against))
        agent, _ = load_agent(Path(against), modules=modules)
        if agent.observation_space != env.observation_space:
            shown, known = map(space_in_words, (env.observation_space, agent.observation_space))
            same = " within other bounds" if shown == known else ""
            raise ValueError(
                f"against: expected a run trained on what this world shows, {shown}, "
                f"got {against}, trained on {known}{same}"
            )
        return Rival(env, Player(agent), Path(against).name)
    except BaseException:
        env.close()
        raise


def side_by_side(mine: gym.Env[Any, Any], draw: Drawing, tally: Tally, rival: Rival) -> Drawing:
    """The two pictures of a race, beside each other or one below the other.

    Args:
        mine: the person's env.
        draw: draws it.
        tally: of the person.
        rival: whom the person races.
    """
    world = mine.unwrapped
    assert isinstance(world, MovingObstaclesEnv)

    def picture(width: int, height: int) -> Pixels:
        across = is_across(world.level, width, height)
        half = (width // 2, height) if across else (width, height // 2)
        whole = pygame.Surface((width, height), 0, 32)
        whole.fill(palette.NIGHT)
        for number, (name, one, drawing) in enumerate(
            (("you", tally, draw), (rival.name, rival.tally, rival.draw))
        ):
            left, top = (number * half[0], 0) if across else (0, number * half[1])
            room = (half[0], max(1, half[1] - CAPTION))
            words = f"{name}: tick {one.ticks}, return {one.total:.2f}"
            colour = palette.YELLOW if one.over else palette.WHITE
            line = line_within(words, 19, colour, half[0] - 16)
            whole.blit(line, (left + (half[0] - line.get_width()) // 2, top + 6))
            whole.blit(fitted(drawing(*room), *room), (left, top + CAPTION))
        return rendering.pixels(whole)

    return picture


def is_across(level: Level, width: int, height: int) -> bool:
    """Whether two pictures of a level are larger beside each other than one below the other."""
    beside = min(width / 2 / level.width, height / level.height)
    return beside >= min(width / level.width, height / 2 / level.height)


def race_size(env: gym.Env[Any, Any]) -> tuple[int, int]:
    """(width, height) for the two pictures of a race, whose first episode has begun."""
    world = env.unwrapped
    assert isinstance(world, MovingObstaclesEnv)
    width, height = picture_size(env)
    if world.level.width > 2 * world.level.height:
        return width, 2 * (height + CAPTION)
    return 2 * width, height + CAPTION
