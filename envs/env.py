"""The world as a `gymnasium.Env`: a thin shell round one lane."""

import operator
from contextlib import suppress
from typing import Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from .arguments import RENDER_FPS, check_options, check_render_mode, check_state_alone
from .config import WorldConfig
from .levels.level import Level
from .rules.columns import FLAGS
from .specs import plain
from .world import Scene, State, World


class MovingObstaclesEnv(gym.Env[NDArray[Any], int]):
    """A grid world whose obstacles move.

    ## Description
    The agent crosses a map from its start to the goal while obstacles move. In one tick, every
    obstacle whose turn it is and the agent move at the same moment. A hit is an obstacle on the
    agent's cell after the move, or one that swapped cells with it. Walls only stop. Obstacles pass
    through each other; patrols turn round at walls and edges, wanderers walk at random.

    ## Action Space
    `Discrete(5)`: 0 up, 1 down, 2 right, 3 left, 4 stay. (With `gymnasium.utils.play`, pass
    `noop=4`.)

    ## Observation Space
    `observation="features"`, float32, for K obstacles 4 K + 3 numbers; Markov on a fixed level:

    | index | number | range |
    |---|---|---|
    | 4 k | column of obstacle k minus the agent's, over width - 1 | [-1, 1] |
    | 4 k + 1 | row of obstacle k minus the agent's, over height - 1 | [-1, 1] |
    | 4 k + 2 | its heading's x: 1 right, -1 left, 0 vertical or wanderer | [-1, 1] |
    | 4 k + 3 | its heading's y: 1 down, -1 up, 0 horizontal or wanderer | [-1, 1] |
    | 4 K | column of the goal minus the agent's, over width - 1 | [-1, 1] |
    | 4 K + 1 | row of the goal minus the agent's, over height - 1 | [-1, 1] |
    | 4 K + 2 | ticks until the obstacles move, over period - 1 | [0, 1] |

    `hide=("headings", "phase")` puts 0 for those numbers. `visible_every=n` shows obstacles on
    ticks 0, n, 2 n, ... of the episode; on the others all of theirs is 0, and two numbers follow:

    | index | number | range |
    |---|---|---|
    | 4 K + 3 | 1 where obstacles are shown, else 0 | [0, 1] |
    | 4 K + 4 | ticks since they were shown, over n - 1 | [0, 1] |

    `observation="planes"`, uint8 (C, height, width), each 0 or 1; Markov but for crowds of
    wanderers:

    | plane | where it is 1 |
    |---|---|
    | 0 | walls |
    | 1 | the agent |
    | 2 | the goal |
    | 3, 4, 5, 6 | patrols heading left, right, up, down |
    | 7 | wanderers |
    | 8 + d | everywhere, if binary digit d of the ticks until obstacles move is 1 |

    There are as many digits as period - 1 needs, none where the phase is hidden. With hidden
    headings plane 3 has all obstacles and the digits begin at 4. With `visible_every=n` follow a
    plane that is 1 where obstacles are shown, and the binary digits of the ticks since they were.

    `observation="window"`, uint8 (C, 2 r + 1, 2 r + 1) for `radius=r`, the agent in the middle: the
    same planes, but 0 is outside of the map, and 1 walls. Markov only if it covers the map.

    `observation="beacon"`: `window`, where a goal beyond it is shown at the edge, in the cell that
    is nearest to it.

    `observation="book"`, float32, the course's raw numbers; without the move phase, not Markov:

    | index | number | range |
    |---|---|---|
    | 4 k, 4 k + 1 | obstacle k minus the agent: columns, rows | cells |
    | 4 k + 2 | -1, the reward of a hit | constant |
    | 4 k + 3 | direction: -1 right or down, 1 left or up | [-1, 1] |
    | 4 K, 4 K + 1 | goal minus the agent: columns, rows | cells |
    | 4 K + 2 | 1, the reward of the goal | constant |

    The Box is as tight as the level allows; a number that never changes has the range [-1, 1].

    ## Starting State
    On the only level, or on one that each episode draws (`levels`, `pool`). The agent on `S`. With
    `random_starts`, every patrol has a uniformly drawn cell and heading on its track and the move
    phase is uniform; otherwise all is as the map has it and the obstacles move in the first tick.
    Wanderers always begin on their own cell.

    ## Rewards
    `step_reward` on every tick (-0.05), plus `goal_reward` (+1) at the goal, plus `hit_reward` (-1)
    for a hit. A hit on the goal is a hit.

    ## Episode End
    Terminated at the goal, and by a hit unless `hit_ends=False`. Truncated after 100 ticks
    (`max_episode_steps`); `sidestep/Book-v0` has no limit.

    ## Information
    `step` returns `is_success` (this tick reached the goal) and `is_collision` (the agent was hit
    in this episode), both bool; `reset` returns an empty dict.

    ## Arguments
    The fields of `sidestep.envs.WorldConfig`, and `render_mode`: `human`, `rgb_array` or `ansi`.

    ## References
    `sidestep/Book-v0` is the grid world of RLCode's reinforcement-learning course
    (github.com/rlcode/reinforcement-learning), bit for bit.

    ## Version History
    v0: the first.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium's is an instance's
        "render_modes": ["human", "rgb_array", "ansi"],
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self, render_mode: Literal["human", "rgb_array", "ansi"] | None = None, **config: Any
    ) -> None:
        """Make a world; `config` are the fields of `WorldConfig`.

        Raises:
            TypeError, ValueError: an unknown keyword or value.
        """
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.config = WorldConfig.of(**config)
        self.world = World(self.config, lanes=1, max_ticks=None)
        self.render_mode = render_mode
        self.action_space = spaces.Discrete(5)  # type: ignore[assignment]  # int, not np.int64
        self.observation_space = self.world.space
        self._action = np.zeros(1, dtype=np.int64)
        self._reward = np.zeros(1)
        self._flags = np.zeros((FLAGS, 1), dtype=np.bool_)
        self._before: NDArray[np.int16] | None = None
        self._started = False
        self._window: Any = None
        self._spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What `gym.make` made this from, with keywords that survive JSON; else None."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain(spec)

    @property
    def is_markov(self) -> bool:
        """Whether an observation tells all that decides the future, the time limit aside."""
        return self.config.is_markov

    @property
    def level(self) -> Level:
        """The map."""
        return self.world.levels[int(self.world.level_of[0])]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin an episode: the first of stream `seed`, or the next one of the current stream.

        Args:
            seed: a non-negative integer, or None.
            options: `level`, the episode's level where there are several (its number, or itself);
                or `state`, a `get_state()` to continue from instead.

        Raises:
            TypeError, ValueError: unknown options, no level of this world, a state that does not
                fit, or a seed beside it.
        """
        check_options(options, ("level", "state"))
        options = check_state_alone(options, seed)
        wanted = None if options.get("level") is None else self.world.number_of(options["level"])
        super().reset(seed=seed)
        if "state" in options:
            self.world.set_state(options["state"])
        else:
            if seed is None and not self._started:
                seed = self.np_random_seed
            self.world.seed([seed])
            self.world.restart(wanted=None if wanted is None else np.array([wanted]))
        self._started, self._before = True, None
        if self.render_mode == "human":
            self._show()
        return self.world.observe()[0], {}

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Play one tick.

        Raises:
            TypeError, ValueError: an action that is not an integer from 0 to 4.
            gymnasium.error.ResetNeeded: before the first reset, or after the episode has ended.
        """
        world = self.world
        if not self._started or world.ended[0]:
            when = "the episode has ended" if self._started else "no episode has begun"
            raise gym.error.ResetNeeded(f"step: expected reset() first, {when}")
        try:
            self._action[0] = operator.index(action)
        except (TypeError, OverflowError):
            raise TypeError(f"action: expected an integer from 0 to 4, got {action!r}") from None
        if self.render_mode is not None:
            self._before = world.state[:, 0].copy()
        obs = world.empty()
        world.step(self._action, self._reward, self._flags, obs)
        if self.render_mode == "human":
            self._show()
        (terminated,), _, (success,), (collision,), *_ = self._flags.tolist()
        info = {"is_success": success, "is_collision": collision}
        return obs[0], self._reward.item(), terminated, False, info

    def scene(self) -> Scene:
        """The facts of the current picture; exact hits and previous cells when rendering is on.

        `max_ticks` is None: Gymnasium keeps the limit from the env, `spec` of the made env has it.
        """
        if not self._started:
            raise gym.error.ResetNeeded("scene: expected reset() first, no episode has begun")
        return self.world.scene(0, self._before)

    def get_state(self) -> State:
        """Everything that decides the future, as plain arrays (not a `TimeLimit` wrapper's count).

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if not self._started:
            raise gym.error.ResetNeeded("get_state: expected reset() first, no episode has begun")
        return self.world.get_state()

    def set_state(self, state: State) -> None:
        """Continue from a `get_state()` of this configuration: the future repeats exactly.

        Raises:
            ValueError: a state of another configuration.
        """
        self.world.set_state(state)
        self._started, self._before = True, None

    def render(self) -> Any:
        """The current picture: (H, W, 3) uint8 for `rgb_array`, a string for `ansi`.

        In `human` mode `reset` and `step` show the window themselves; this shows it again.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if self.render_mode is None:
            gym.logger.warn("render: expected a render_mode at construction, got None")
            return None
        if self.render_mode == "human":
            return self._show()
        from .drawing import board as rendering

        draw = rendering.text if self.render_mode == "ansi" else rendering.frame
        return draw(self.scene())

    def _repr_png_(self) -> bytes | None:
        """The present picture for a notebook; None before the first reset: it shows the text."""
        with suppress(Exception):  # no picture is no error of its own
            from .drawing import board as rendering
            from .drawing.png import png

            return png(rendering.frame(self.scene()))
        return None

    def _show(self) -> None:
        from .drawing import board as rendering

        if self._window is None:
            self._window = rendering.Window(
                title=f"sidestep: {self.level.width}x{self.level.height}"
            )
        rendering.show(self._window, self.scene(), fps=self.metadata["render_fps"])

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
