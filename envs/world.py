"""Lanes of the world side by side: what the single and the vector environment both stand on."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.utils import seeding
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from .config import WorldConfig
from .levels.level import Level
from .levels.shipped import find_level
from .observations.table import OBSERVATIONS, checked_space
from .rules import tick as kernels
from .rules.arrays import packed_tables
from .rules.arrays import tables as tables
from .rules.calls import nothing, step_of
from .rules.grid import Cell
from .rules.memory import RULE_BYTES, lane_arrays, lane_bytes, rule_arrays, table_arrays
from .rules.state_check import check_places

State = dict[str, NDArray[Any]]
"""Arrays by name: `state`, `clock`, `streams`, `ended`, `level_of`; the rules' `fingerprint`."""

NO_LIMIT = 2**31 - 1
BOUND = (
    *("sites", "tracks", "walls", "streams", "clock", "level_of", "state", "ended"),
    *("shown", "write", "_held", "_advance", "_step", "_all", "_any"),
)
"""Attributes of `World` that are made of the others."""


class Scene(NamedTuple):
    """One lane as a person sees it; what is drawn."""

    level: Level
    agent: Cell
    obstacles: tuple[tuple[int, int, int, int], ...]
    """x, y, hx, hy of each obstacle; heading (0, 0) is a wanderer."""
    tick: int
    max_ticks: int | None
    phase: int
    """Ticks until the obstacles move; 0: in the coming tick."""
    hit: bool
    """The last tick brought a hit."""
    success: bool
    """The last tick reached the goal."""
    previous: tuple[Cell, ...]
    """Where the agent and each obstacle stood before the last tick; equal to now after a reset."""


class World:
    """`lanes` independent worlds of one configuration, in plain arrays.

    Args:
        config: level and rules.
        lanes: number of worlds.
        max_ticks: time limit in ticks; None for no limit.
    """

    def __init__(self, config: WorldConfig, lanes: int, max_ticks: int | None) -> None:
        """Allocate; `seed` and `restart` must follow."""
        if not isinstance(lanes, int) or isinstance(lanes, bool) or lanes < 1:
            raise ValueError(f"num_envs: expected a positive integer, got {lanes!r}")
        self.config, self.lanes, self.max_ticks = config, lanes, max_ticks
        self.levels = config.maps
        observation = OBSERVATIONS[config.observation]
        self.space = checked_space(config.observation, observation.space(self.levels, config.view))
        self.shape = (lanes, *self.space.shape)
        self.tables, self.sizes = packed_tables(self.levels)
        self.ground = observation.ground(self.levels, config.view)
        self.memory = np.zeros(lane_bytes(lanes, self.sizes[1]), dtype=np.uint8)
        self.settings = np.zeros(RULE_BYTES, dtype=np.uint8)
        self.fingerprint = config.fingerprint(max_ticks)
        self._bind()
        limit = NO_LIMIT if max_ticks is None else max_ticks
        flags = (config.random_starts, config.swap_hits, config.hit_ends, self.walls.any())
        rewards, rules, view, sizes = rule_arrays(self.settings)
        rewards[:] = config.goal_reward, config.hit_reward, config.step_reward
        rules[:] = config.obstacle_period, *flags, limit
        view[:], sizes[:] = config.view.array(), self.sizes

    def _bind(self) -> None:
        """Cut the memory into arrays, which share it, and choose what is called."""
        self.sites, self.tracks, self.walls = table_arrays(self.tables, self.sizes)
        parts = lane_arrays(self.memory, self.lanes, self.sizes[1])
        self.streams, self.clock, self.level_of, self.state, _, ended = parts
        self.ended = ended.view(np.bool_)
        _, rules, view, _ = rule_arrays(self.settings)
        config, observation = self.config, OBSERVATIONS[self.config.observation]
        plain = observation.whole(self.levels) if config.view.is_whole else None
        self.shown: tuple[NDArray[Any], ...] = (self.state, self.level_of, self.sites, rules)
        if plain is None:
            self.shown = (self.state, self.clock, self.level_of, self.sites, self.ground)
            self.shown += (rules, view)
        self.write = plain or observation.writer(config.observation, self.levels, config.view)
        self._held = (self.memory, self.settings, self.tables)
        several, fits = len(self.levels) > 1, isinstance(self.write, Dispatcher)
        self._advance = step_of(nothing, False, several)
        self._step = step_of(self.write, plain is not None, several) if fits else None
        self._all = np.ones(self.lanes, dtype=np.bool_)
        self._any = np.full(self.lanes, -1)

    def __getstate__(self) -> dict[str, Any]:
        """All but what `_bind` makes: copies of arrays would share no memory any more."""
        kept = vars(self).copy()
        for name in BOUND:
            del kept[name]
        return kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        """Continue as a copy."""
        vars(self).update(kept)
        self._bind()

    def seed(self, seeds: Sequence[int | None], chosen: NDArray[np.bool_] | None = None) -> None:
        """Give lanes new streams: an int for a known one, None to keep it.

        A lane that never had a seed draws one from the system.
        """
        for i, seed in enumerate(seeds):
            if chosen is not None and not chosen[i]:
                continue
            if seed is None and self.streams[kernels.EPISODE, i] == 0:
                seed = int(seeding.np_random()[1] % 2**64)
            if seed is not None:
                self.streams[:, i] = (seed % 2**64, 0, 0)

    def restart(
        self,
        chosen: NDArray[np.bool_] | None = None,
        wanted: NDArray[np.int64] | None = None,
    ) -> None:
        """Begin the next episode of the chosen lanes, or of all.

        Args:
            chosen: (lanes,) which; None for all.
            wanted: (lanes,) the number of each lane's level, -1 to draw; None draws them all.
        """
        chosen = self._all if chosen is None else chosen
        kernels.restart(chosen, self._any if wanted is None else wanted, *self._held)

    def advance(
        self, action: NDArray[np.int64], reward: NDArray[np.float64], flags: NDArray[np.bool_]
    ) -> int:
        """One tick of every lane; `step` without the observation."""
        return self._played(self._advance, action, reward, flags, reward)

    def step(
        self,
        action: NDArray[np.int64],
        reward: NDArray[np.float64],
        flags: NDArray[np.bool_],
        out: NDArray[Any],
    ) -> int:
        """One tick of every lane, in one call of compiled code where the observation is a kernel.

        Args:
            action: (lanes,) 0 up, 1 down, 2 right, 3 left, 4 stay.
            reward: (lanes,) written.
            flags: (FLAGS, lanes) written; rows `kernels.TERMINATED`, TRUNCATED, SUCCESS, COLLISION,
                PLAYED, ALSO_PLAYED.
            out: (lanes, *space.shape) written: what every lane is shown after the tick.

        Returns:
            How many lanes ended in this tick.

        Raises:
            ValueError: an action out of range; nothing was changed.
        """
        if self._step is not None:
            return self._played(self._step, action, reward, flags, out)
        count = self.advance(action, reward, flags)
        self.write(*self.shown, out)
        return count

    def _played(
        self,
        call: Callable[..., int],
        action: NDArray[np.int64],
        reward: NDArray[np.float64],
        flags: NDArray[np.bool_],
        out: NDArray[Any],
    ) -> int:
        count = call(action, *self._held, self.ground, reward, flags, out)
        if count < 0:
            lane = -1 - count
            where = f" of lane {lane}" if self.lanes > 1 else ""
            raise ValueError(f"action{where}: expected 0 to 4, got {int(action[lane])}")
        return count

    def empty(self) -> NDArray[Any]:
        """A new array for what every lane is shown."""
        return np.empty(self.shape, self.space.dtype)

    def observe(self, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """What every lane is shown, (lanes, *space.shape); a new array unless `out` is given."""
        out = self.empty() if out is None else out
        self.write(*self.shown, out)
        return out

    def get_state(self) -> State:
        """Everything that decides the future, copied: plain arrays, fit for any file format."""
        return {
            "state": self.state.copy(),
            "clock": self.clock.copy(),
            "streams": self.streams.copy(),
            "ended": self.ended.copy(),
            "level_of": self.level_of.copy(),
            "fingerprint": np.frombuffer(bytes.fromhex(self.fingerprint), dtype=np.uint8).copy(),
        }

    def set_state(self, state: State) -> None:
        """Continue from `get_state()`: the future repeats exactly, later episodes included.

        Raises:
            ValueError: a state of another configuration, or of another number of lanes, or one
                that no tick can produce.
        """
        own = self.get_state()
        if not isinstance(state, dict) or state.keys() != own.keys():
            raise ValueError(
                f"state: expected what get_state() returns, got {type(state).__name__}"
            )
        for name, mine in own.items():
            theirs = np.asarray(state[name])
            if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                raise ValueError(
                    f"state {name!r}: expected {mine.dtype} {mine.shape}, "
                    f"got {theirs.dtype} {theirs.shape}"
                )
        if not np.array_equal(state["fingerprint"], own["fingerprint"]):
            raise ValueError("state: expected one of this world's configuration, got another's")
        if np.any(state["clock"] < 0):
            raise ValueError("state: expected ticks from 0 on, got a negative one")
        tables = self.sites, self.tracks, self.walls
        check_places(state["state"], state["level_of"], tables, self.config.obstacle_period)
        self.state[:] = state["state"]
        self.clock[:] = state["clock"]
        self.streams[:] = state["streams"]
        self.ended[:] = state["ended"]
        self.level_of[:] = state["level_of"]

    def number_of(self, level: Any) -> int:
        """The number of one of this world's levels.

        Args:
            level: its number, or the level itself as `level=` takes it.

        Raises:
            TypeError, ValueError: no level, or not one of this world's.
        """
        count = len(self.levels)
        if isinstance(level, int | np.integer) and not isinstance(level, bool):
            if not 0 <= level < count:
                raise ValueError(f"options level: expected 0 to {count - 1}, got {level}")
            return int(level)
        found = find_level(level)
        if found not in self.levels:
            raise ValueError(
                f"options level: expected one of this world's {count} (say levels=[...] when "
                "you make it), got another"
            )
        return self.levels.index(found)

    def scene(self, lane: int, before: NDArray[np.int16] | None = None) -> Scene:
        """Lane `lane` as a picture's facts.

        Args:
            lane: which world.
            before: `state[:, lane]` before the last tick; None right after a restart.

        Raises:
            IndexError: no such lane.
        """
        if not 0 <= lane < self.lanes:
            raise IndexError(f"lane: expected 0 to {self.lanes - 1}, got {lane}")
        now = self.state[:, lane].tolist()
        then = now if before is None else before.tolist()
        rows = range(kernels.FIRST, len(now), 4)
        agent = Cell(now[kernels.X], now[kernels.Y])
        goal = self.levels[self.level_of[lane]].goal
        hit = before is not None and self._struck(now, then)
        over = hit and self.config.hit_ends
        return Scene(
            level=self.levels[self.level_of[lane]],
            agent=agent,
            obstacles=tuple((now[r], now[r + 1], now[r + 2], now[r + 3]) for r in rows),
            tick=int(self.clock[lane]),
            max_ticks=self.max_ticks,
            phase=now[kernels.PHASE],
            hit=hit,
            success=agent == goal and not over,
            previous=(Cell(then[0], then[1]), *(Cell(then[r], then[r + 1]) for r in rows)),
        )

    def _struck(self, now: list[int], then: list[int]) -> bool:
        """Whether an obstacle hit the agent between two states, as `kernels.count_hits` has it."""
        for r in range(kernels.FIRST, len(now), 4):
            met = now[r : r + 2] == now[:2]
            swapped = now[r : r + 2] == then[:2] and then[r : r + 2] == now[:2]
            if met or (swapped and self.config.swap_hits):
                return True
        return False
