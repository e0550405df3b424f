"""A policy at play in one env, tick by tick, forward and back; every tick as a `Moment`.

Seeds count up: episode k begins with `reset(seed=seed + k * stride)`, so each of them can be seen
again by its seed alone.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit
from numpy.typing import NDArray

from sidestep.agents.acting.infos import read_flag
from sidestep.agents.acting.policy import SinglePolicy
from sidestep.agents.insight import Impression
from sidestep.envs import MovingObstaclesEnv, Scene
from sidestep.envs.drawing.sight import Sight
from sidestep.envs.world import State
from sidestep.scripts.shared.forcing import Forcing
from sidestep.scripts.viewer.controllers import controller_of
from sidestep.scripts.viewer.env_pictures import picture_of, time_limit
from sidestep.scripts.viewer.exact_values import ExactValues
from sidestep.scripts.viewer.panels.moment import OUR_ACTIONS, Curve, Moment, Pixels
from sidestep.scripts.viewer.panels.registry import PANELS
from sidestep.scripts.viewer.tally import Tally

REMEMBERED = 600
"""Ticks that one can go back."""
TRAIL = 48
"""Cells of the trail."""
PLAIN_WRAPPERS = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
"""What keeps no state but a count of ticks; other wrappers are put back by playing again."""


@dataclass
class Episode:
    """How an episode began, and what was done in it."""

    seed: int
    actions: list[int] = field(default_factory=list)


@dataclass
class Record:
    """One tick, as it can be shown again and gone on from."""

    episode: Episode
    tick: int
    scene: Scene | None
    state: State | None
    controller: Any
    """The controller's state after it had chosen `action`."""
    action: int | None
    impression: Impression | None
    tally: tuple[Any, ...]
    obs: Any
    optimal: NDArray[np.float64] | None = None


class Session:
    """Plays one policy in one env.

    Args:
        env: single, with render_mode="rgb_array"; not closed.
        policy: a `Controller`, a `Player`, or anything with `act`.
        seed: of the first episode; None: drawn below a million.
        stride: between the seeds of episodes.
        exact: knows what actions cost; None: regret is not shown.
        curve: a learning curve to show; may be replaced at any time.
        forcing: the gates of the policy that are held at a value, and how z is counted.

    Attributes:
        info: what came with the last tick that was played.
        reward: likewise; 0 before the first.

    Raises:
        ValueError: an env that does not render.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        policy: SinglePolicy,
        seed: int | None = None,
        stride: int = 1,
        exact: ExactValues | None = None,
        curve: Curve | None = None,
        forcing: Forcing | None = None,
    ) -> None:
        """Begin the first episode, and let the controller choose its first action."""
        if env.render_mode != "rgb_array":
            raise ValueError(f"env: expected render_mode 'rgb_array', got {env.render_mode!r}")
        self.env, self.controller = env, controller_of(policy, env)
        self.stride, self.exact, self.curve = stride, exact, curve
        self.forcing = Forcing({}) if forcing is None else forcing
        world = env.unwrapped
        self.world = world if isinstance(world, MovingObstaclesEnv) else None
        self.limit = time_limit(env)
        self.keeps_states = self.world is not None and _is_plain(env)
        self.actions = action_names(env)
        self.tally, self.history = Tally(), deque[Record](maxlen=REMEMBERED)
        self._picture: Pixels | None = None
        self.info: dict[str, Any] = {}
        self.reward = 0.0
        if seed is None:
            seed = int(np.random.default_rng().integers(1_000_000))
        self.begin(seed)

    @property
    def now(self) -> Record:
        """The present tick."""
        return self.history[-1]

    @property
    def seed(self) -> int:
        """Of the present episode."""
        return self.now.episode.seed

    @property
    def has_next(self) -> bool:
        """Whether an episode follows the present one by itself."""
        return True

    @property
    def stem(self) -> str:
        """A file name for the present tick, without its ending."""
        return f"sidestep-{self.seed}-{self.now.tick}"

    def begin(self, seed: int | None = None) -> None:
        """Begin an episode: that of `seed`, or the next one; a present one is cut short."""
        if seed is None:
            seed = self.seed + self.stride
        obs, info = self.env.reset(seed=seed)
        self.info, self.reward = info, 0.0
        self.tally.begin()
        self.controller.begin(seed)
        action = self.controller.act(obs, True, 0.0, info)
        self._note(Episode(seed), 0, obs, action)

    def tick(self) -> None:
        """Play one tick; nothing once the episode is over."""
        now = self.now
        if now.action is None:
            return
        obs, gained, terminated, truncated, info = self.env.step(now.action)
        reward, over, self.info = float(gained), terminated or truncated, info
        self.reward = reward
        # what lay ahead when one went back is forgotten
        now.episode.actions[now.tick :] = [now.action]
        self.tally.count(reward, over, bool(read_flag(info, "is_success")))
        action = None if over else self.controller.act(obs, False, reward, info)
        self._note(now.episode, now.tick + 1, obs, action)

    def back(self) -> bool:
        """Go back by a tick, over the beginning of an episode too; False where none is known.

        Raises:
            ValueError: an env that does not repeat itself from its seed; the tick stays.
        """
        if len(self.history) < 2:
            return False
        self._restore(self.history[-2])
        self.history.pop()
        self.tally.set_state(self.now.tally)
        self.controller.set_state(self.now.controller)
        self._picture = None
        return True

    def moment(self, panels: Collection[str]) -> Moment:
        """What there is to see now, of what the panels ask for."""
        now, wants = self.now, [panel for panel in PANELS if panel.name in panels]
        episode = [record for record in self.history if record.episode is now.episode]
        ticks = max((panel.ticks for panel in wants), default=0)
        seen = [record.impression for record in episode if record.impression is not None]
        insights = tuple(
            self.forcing.shown(impression.insight)
            for impression in seen[max(0, len(seen) - ticks) :]
        )
        regrets: tuple[float, ...] = ()
        if self.exact is not None and any(panel.regrets for panel in wants):
            regrets = tuple(self._regret(r) for r in episode if r.action is not None)
        acted = next((r for r in reversed(episode) if r.action is not None), now)
        cells = None
        if any(panel.cells for panel in wants) and acted.state is not None:
            cells = self.controller.cells(acted.state, acted.impression)
        trail = (record.scene.agent for record in episode[-TRAIL:] if record.scene is not None)
        ghosts = any(panel.ghosts for panel in wants)
        return Moment(
            scene=now.scene,
            picture=self._render() if now.scene is None else None,
            sight=None if self.world is None else Sight.of(self.world.config, ghosts),
            actions=self.actions,
            action=now.action,
            last_action=acted.action if now.action is None else None,
            insights=insights,
            optimal=acted.optimal,
            regrets=regrets,
            cells=cells,
            trail=tuple(trail),
            curve=self.curve,
            forced=self.forcing.values if self.forcing.in_last else {},
            statement=self.forcing.statement(),
        )

    def _note(self, episode: Episode, tick: int, obs: Any, action: int | None) -> None:
        scene, state = None, None
        if self.world is not None:
            scene = self.world.scene()._replace(max_ticks=self.limit)
            state = self.world.get_state()
        controller, impression = self.controller.get_state(), None
        if action is not None:
            impression = self.controller.impression
        record = Record(
            episode, tick, scene, state, controller, action, impression, self.tally.get_state(), obs
        )
        self.history.append(record)
        self._picture = None

    def _regret(self, record: Record) -> float:
        """What a record's action costs against the best one."""
        assert self.exact is not None and record.state is not None and record.action is not None
        if record.optimal is None:
            record.optimal = self.exact.q(record.state)
        return float(record.optimal.max() - record.optimal[record.action])

    def _render(self) -> Pixels:
        """The env's own picture, drawn once a tick."""
        if self._picture is None:
            self._picture = picture_of(self.env)
        return self._picture

    def _restore(self, record: Record) -> None:
        """Put the env back: by its state where it has one, else by playing again from the seed."""
        if self.keeps_states and self.world is not None and record.state is not None:
            self.world.set_state(record.state)
            _count_ticks(self.env, record.tick)
            return
        obs, _ = self.env.reset(seed=record.episode.seed)
        for action in record.episode.actions[: record.tick]:
            obs = self.env.step(action)[0]
        if not _equal(obs, record.obs):
            raise ValueError("back: expected an env that repeats itself from its seed")


def action_names(env: gym.Env[Any, Any]) -> tuple[str, ...]:
    """Words for the actions: ours, or numbers."""
    if isinstance(env.unwrapped, MovingObstaclesEnv):
        return OUR_ACTIONS
    number = int(getattr(env.action_space, "n", 0))
    return tuple(f"action {k}" for k in range(number))


def _is_plain(env: Any) -> bool:
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, PLAIN_WRAPPERS):
            return False
        env = env.env
    return True


def _count_ticks(env: Any, ticks: int) -> None:
    """Tell every `TimeLimit` how many ticks were played."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TimeLimit):
            vars(env)["_elapsed_steps"] = ticks  # declared as if it were always None
        env = env.env


def _equal(first: Any, second: Any) -> bool:
    """Whether two observations of any space are the same."""
    if isinstance(first, dict):
        return all(_equal(first[name], second[name]) for name in first)
    if isinstance(first, tuple):
        return all(map(_equal, first, second))
    return bool(np.array_equal(first, second))
