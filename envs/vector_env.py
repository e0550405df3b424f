"""The world as a native `gymnasium.vector.VectorEnv`: many lanes in one compiled call."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .arguments import (
    RENDER_FPS,
    check_actions,
    check_autoreset_mode,
    check_max_ticks,
    check_options,
    check_render_mode,
    check_reset_mask,
    check_seeds,
    check_state_alone,
)
from .attributes import call, set_attr
from .config import WorldConfig
from .rules.columns import (
    ALSO_PLAYED,
    COLLISION,
    FLAGS,
    PLAYED,
    SEED,
    SUCCESS,
    TERMINATED,
    TRUNCATED,
)
from .specs import plain
from .world import Scene, State, World

BOOL = np.dtype(np.bool_)
DISABLED, SAME_STEP = AutoresetMode.DISABLED, AutoresetMode.SAME_STEP
Batch = tuple[
    NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class MovingObstaclesVectorEnv(VectorEnv[NDArray[Any], NDArray[np.int64], NDArray[Any]]):
    """`num_envs` worlds; lane i with seed s plays what the single environment plays with s + i.

    Spaces, rewards and info are those of `MovingObstaclesEnv`, batched as Gymnasium's
    `SyncVectorEnv` batches them. Every returned array is new, unless `copy=False`.

    Args:
        num_envs: number of lanes.
        max_episode_steps: time limit in ticks; None or -1 for none.
        autoreset_mode: `NextStep` (a lane that ended begins its next episode in the following
            step, which ignores its action), `SameStep` (in the same step; the last observation is
            in `final_obs`, its info in `final_info`) or `Disabled` (`reset` with
            `options={"reset_mask": ...}`).
        render_mode: `rgb_array` or None.
        copy: False returns the same arrays every time, overwritten by the next call.
        config: the fields of `WorldConfig`.

    Raises:
        TypeError, ValueError: an unknown keyword or value.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium's is an instance's
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = "NextStep",
        render_mode: Literal["rgb_array"] | None = None,
        copy: bool = True,
        **config: Any,
    ) -> None:
        """Make the lanes."""
        check_render_mode(render_mode, self.metadata["render_modes"])
        if not isinstance(copy, bool):
            raise TypeError(f"copy: expected True or False, got {copy!r}")
        self.autoreset_mode = check_autoreset_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}  # type: ignore[misc]
        self.config = WorldConfig.of(**config)
        self.max_episode_steps = check_max_ticks(max_episode_steps)
        self.world = World(self.config, num_envs, self.max_episode_steps)
        self.num_envs, self.render_mode, self.copy = num_envs, render_mode, copy
        self.single_action_space = spaces.Discrete(5)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = self.world.space
        self.observation_space = batch_space(self.world.space, num_envs)
        self._before: NDArray[np.int16] | None = None
        self._started = False
        self._nobody_plays = False
        self._spec: EnvSpec | None = None
        self._buffers = None if copy else self._empty()

    @property
    def spec(self) -> EnvSpec | None:
        """What `gym.make_vec` made this from, with keywords that survive JSON; else None."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain(spec)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin an episode in every lane, or in those of `options["reset_mask"]`.

        Args:
            seed: int s gives lane i the stream s + i; a list one entry a lane, None to go on.
            options: `reset_mask`, (num_envs,) bool with at least one True; `level`, where there are
                several: one for all lanes or a list of one a lane, each a number, the level
                itself or None to draw it; or `state`, a `get_state()` to continue from instead.
                Never changed.

        Raises:
            TypeError, ValueError: a mask or a list of seeds of the wrong type or length, no level
                of this world, a state that does not fit, or a seed beside it.
        """
        check_options(options, ("reset_mask", "level", "state"))
        options = check_state_alone(options, seed)
        if "state" in options:
            self.set_state(options["state"])
            return self._observe(), {}
        chosen = check_reset_mask(options.get("reset_mask"), self.num_envs)
        wanted = self._wanted(options.get("level"))
        if chosen is not None and not self._started and not chosen.all():
            raise gym.error.ResetNeeded("reset_mask: expected a full reset() first")
        seeds = check_seeds(seed, self.num_envs)
        if isinstance(seed, int):
            super().reset(seed=seed)
        if any(s is not None for s in seeds) or not self._started:
            self.world.seed(seeds, chosen)
        self.world.restart(chosen, wanted)
        if chosen is None or self._before is None:
            self._before = None
        else:
            self._before[:, chosen] = self.world.state[:, chosen]
        self._started, self._nobody_plays = True, False
        return self._observe(), {}

    def _wanted(self, levels: Any) -> NDArray[np.int64]:
        """The number of each lane's level, -1 to draw it."""
        if not isinstance(levels, list | tuple | np.ndarray):
            levels = [levels] * self.num_envs
        if len(levels) != self.num_envs:
            raise ValueError(f"options level: expected {self.num_envs}, got {len(levels)}")
        known = [-1 if level is None else self.world.number_of(level) for level in levels]
        return np.array(known, dtype=np.int64)

    def step(self, actions: NDArray[np.int64]) -> Batch:
        """Play one tick in every lane.

        Args:
            actions: (num_envs,) integers from 0 to 4.

        Returns:
            `obs` (num_envs, ...), `reward` (num_envs,) float64, `terminated` and `truncated`
            (num_envs,) bool, and `info`.

        Raises:
            TypeError, ValueError: actions of another shape or type, or out of range; the worlds are
                unchanged.
            gymnasium.error.ResetNeeded: before the first reset; in `Disabled` mode also while a
                lane has ended.
        """
        if not self._started:
            raise gym.error.ResetNeeded("step: expected reset() first, no episode has begun")
        actions = check_actions(actions, self.num_envs)
        world, mode = self.world, self.autoreset_mode
        if mode is DISABLED and world.ended.any():
            lanes = np.flatnonzero(world.ended).tolist()
            raise gym.error.ResetNeeded(
                f"step: expected reset_mask first, lanes {lanes} have ended"
            )
        before = None if self.render_mode is None else world.state.copy()
        obs, reward, flags = self._buffers or self._empty()
        ended = world.step(actions, reward, flags, obs)
        continued = played = flags[PLAYED]
        info: dict[str, Any] = {}
        if ended and mode is SAME_STEP:
            continued = ~world.ended
            info, ended = self._restart_ended(flags, obs), 0
        elif not self._nobody_plays:
            info = {
                "is_success": flags[SUCCESS],
                "is_collision": flags[COLLISION],
                "_is_success": played,
                "_is_collision": flags[ALSO_PLAYED],
            }
        if before is not None:
            np.copyto(before, world.state, where=~continued)
        self._before = before
        self._nobody_plays = ended == self.num_envs
        return obs, reward, flags[TERMINATED], flags[TRUNCATED], info

    def _restart_ended(self, flags: NDArray[np.bool_], last: NDArray[Any]) -> dict[str, Any]:
        """SAME_STEP: restart the lanes that ended; their last observation and info go to `info`.

        `last` has what all lanes are shown, before and after this.
        """
        ended = self.world.ended.copy()
        final_obs = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final_obs[i] = last[i].copy()
        success, collision = flags[SUCCESS], flags[COLLISION]
        final_info = {
            "is_success": success & ended,
            "_is_success": ended.copy(),
            "is_collision": collision & ended,
            "_is_collision": ended.copy(),
        }
        self.world.restart(ended)
        self.world.observe(last)
        info: dict[str, Any] = {"final_obs": final_obs, "_final_obs": ended.copy()}
        info |= {"final_info": final_info, "_final_info": ended.copy()}
        if not ended.all():
            info |= {"is_success": success & ~ended, "_is_success": ~ended}
            info |= {"is_collision": collision & ~ended, "_is_collision": ~ended}
        return info

    def scene(self, lane: int) -> Scene:
        """The facts of lane `lane`'s picture."""
        if not self._started:
            raise gym.error.ResetNeeded("scene: expected reset() first, no episode has begun")
        before = self._before
        if before is None or not 0 <= lane < self.num_envs:
            return self.world.scene(lane)
        return self.world.scene(lane, before[:, lane])

    def get_state(self) -> State:
        """Everything that decides the future of every lane, as plain arrays.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if not self._started:
            raise gym.error.ResetNeeded("get_state: expected reset() first, no episode has begun")
        return self.world.get_state()

    def set_state(self, state: State) -> None:
        """Continue from a `get_state()` of this configuration: the future repeats exactly.

        The autoreset mode may differ: what a lane that has ended does next is this environment's.

        Raises:
            ValueError: a state of another configuration or number of lanes.
        """
        self.world.set_state(state)
        if self.autoreset_mode is SAME_STEP and self.world.ended.any():
            self.world.restart(self.world.ended.copy())
        self._started, self._before = True, None
        self._nobody_plays = bool(self.world.ended.all())

    @property
    def is_markov(self) -> bool:
        """Whether an observation tells all that decides the future, the time limit aside."""
        return self.config.is_markov

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each lane's stream, as `SyncVectorEnv` gives it."""
        return tuple(self.world.streams[SEED].tolist())

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """A lane's attribute for every lane, as `SyncVectorEnv.get_attr`."""
        return call(self, name)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method, or read an attribute, of every lane; see `attributes.call`."""
        return call(self, name, *args, **kwargs)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute that all lanes share; see `attributes.set_attr`."""
        set_attr(self, name, values)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """A picture of every lane, each (H, W, 3) uint8."""
        if self.render_mode is None:
            gym.logger.warn("render: expected a render_mode at construction, got None")
            return None
        return tuple(self.render_lane(i) for i in range(self.num_envs))

    def render_lane(self, lane: int) -> NDArray[np.uint8]:
        """The picture of one lane, (H, W, 3) uint8.

        Raises:
            IndexError: no such lane.
        """
        from .drawing import board as rendering

        return rendering.frame(self.scene(lane))

    def render_tiled(self, lanes: int = 16) -> NDArray[np.uint8]:
        """The first `lanes` lanes side by side in one picture, (H, W, 3) uint8."""
        from .drawing import board as rendering

        return rendering.tiled([self.scene(i) for i in range(min(lanes, self.num_envs))])

    def _repr_png_(self) -> bytes | None:
        """The first 16 lanes for a notebook; None before the first reset: it shows the text."""
        with suppress(Exception):  # no picture is no error of its own
            from .drawing.png import png

            return png(self.render_tiled())
        return None

    def _empty(self) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_]]:
        """New arrays for what a step returns: observations, rewards, and the rows of flags."""
        lanes, empty = self.num_envs, np.empty
        return self.world.empty(), empty(lanes), empty((FLAGS, lanes), BOOL)

    def _observe(self) -> NDArray[Any]:
        return self.world.observe(None if self._buffers is None else self._buffers[0])
