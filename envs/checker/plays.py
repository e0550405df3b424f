"""A vector env's play taken apart into what each lane saw, and how two plays differ.

`check_vector_env` compares lanes with lanes: of the same env, of another order, of single envs.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium import Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray

Seeds = int | Sequence[int | None] | None


class LaneCall(NamedTuple):
    """What one lane got from one `reset` or `step`; a reset gives no reward and no flag."""

    obs: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.terminated or self.truncated


class Move(NamedTuple):
    """One line of a script: a `step` where there are actions, else a `reset`."""

    actions: Any = None
    seed: Seeds = None
    mask: NDArray[np.bool_] | None = None


class Playable(Protocol):
    """A vector env as `drive` needs it; every call answers with one `LaneCall` a lane."""

    num_envs: int
    mode: AutoresetMode

    def reset(self, seed: Seeds, mask: NDArray[np.bool_] | None) -> list[LaneCall]:
        """Begin an episode in the lanes of the mask, or in all."""
        ...

    def step(self, actions: Any) -> list[LaneCall]:
        """Play one tick."""
        ...


class Subject:
    """The env that is checked, as a `Playable`; lets others see what it returned.

    Args:
        env: any vector env.
        mode: how it restarts lanes that ended.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], mode: AutoresetMode) -> None:
        """Nothing is played yet."""
        self.env, self.mode, self.num_envs = env, mode, env.num_envs
        self.overwrites = False
        self.returned: list[tuple[Any, ...]] = []
        """Everything that came back, as it came: (obs, info) or (obs, ..., info)."""

    def reset(self, seed: Seeds, mask: NDArray[np.bool_] | None) -> list[LaneCall]:
        """Begin an episode; without a mask `options` is None."""
        options = None if mask is None else {"reset_mask": mask.copy()}
        obs, info = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]  # lists too
        n = self.num_envs
        nothing = (np.zeros(n), np.zeros(n, bool), np.zeros(n, bool))
        lanes = split(self.env, obs, *nothing, info)
        return self._took((obs, info), lanes)

    def step(self, actions: Any) -> list[LaneCall]:
        """Play one tick."""
        returned = self.env.step(actions)
        return self._took(returned, split(self.env, *returned))

    def _took(self, returned: tuple[Any, ...], lanes: list[LaneCall]) -> list[LaneCall]:
        self.returned.append(returned)
        if self.overwrites:
            for array in arrays(returned):
                if array.dtype != object and array.flags.writeable:
                    array[...] = np.zeros((), array.dtype)
        return lanes


def split(
    env: VectorEnv[Any, Any, Any],
    obs: Any,
    reward: Any,
    terminated: Any,
    truncated: Any,
    info: dict[str, Any],
) -> list[LaneCall]:
    """What a vector env returned, copied and by lane."""
    shown = list(iterate(env.observation_space, deepcopy(obs)))
    facts = [info_of(deepcopy(info), lane) for lane in range(env.num_envs)]
    return [
        LaneCall(o, float(r), bool(e), bool(u), f)
        for o, r, e, u, f in zip(shown, reward, terminated, truncated, facts, strict=True)
    ]


def info_of(info: dict[str, Any], lane: int) -> dict[str, Any]:
    """The entries of a vector env's `info` that belong to one lane, by their masks."""
    found = {}
    for key, value in info.items():
        mask = info.get(f"_{key}")
        if key.startswith("_") or (mask is not None and not mask[lane]):
            continue
        found[key] = info_of(value, lane) if isinstance(value, dict) else value[lane]
    return found


def join(space: Space[Any], actions: Sequence[Any]) -> Any:
    """One action a lane as the vector env takes them."""
    room: Any = create_empty_array(space, len(actions))
    return concatenate(space, actions, room)


def arrays(value: Any) -> Iterator[NDArray[Any]]:
    """Every array in a returned value, those in dicts and in arrays of objects too."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, np.ndarray):
        yield value
        if value.dtype != object:
            return
    if isinstance(value, tuple | list | np.ndarray):
        for part in value:
            yield from arrays(part)


def drive(playable: Playable, script: Sequence[Move]) -> list[list[LaneCall]]:
    """Play a script; lanes that ended in the mode DISABLED are reset at once.

    Returns:
        For each lane its calls; resets that left it out are none of them.
    """
    plays: list[list[LaneCall]] = [[] for _ in range(playable.num_envs)]
    for move in script:
        if move.actions is None:
            _add(plays, playable.reset(move.seed, move.mask), move.mask)
            continue
        calls = playable.step(move.actions)
        _add(plays, calls, None)
        ended = np.array([call.ended for call in calls])
        if playable.mode is AutoresetMode.DISABLED and ended.any():
            _add(plays, playable.reset(None, ended), ended)
    return plays


def _add(
    plays: list[list[LaneCall]], calls: list[LaneCall], mask: NDArray[np.bool_] | None
) -> None:
    for lane, call in enumerate(calls):
        if mask is None or mask[lane]:
            plays[lane].append(call)


class Difference(NamedTuple):
    """Where two plays part."""

    place: str
    expected: str
    got: str


def compare(
    expected: Sequence[LaneCall],
    got: Sequence[LaneCall],
    tolerance: float = 0.0,
    ignored: Sequence[str] = (),
) -> Difference | None:
    """The first difference of a lane's plays; None where there is none.

    Args:
        expected: calls of a lane.
        got: equally many.
        tolerance: how far apart floats may be.
        ignored: keys of `info` that are not compared.
    """
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        one = one._replace(info=without(one.info, ignored))
        other = other._replace(info=without(other.info, ignored))
        for name in LaneCall._fields:
            found = difference(getattr(one, name), getattr(other, name), name, tolerance)
            if found is not None:
                return found._replace(place=f"{found.place} of call {number}")
    return None


def without(info: dict[str, Any], ignored: Sequence[str]) -> dict[str, Any]:
    """An info, and those within, without some keys."""
    return {
        key: without(value, ignored) if isinstance(value, dict) else value
        for key, value in info.items()
        if key not in ignored
    }


def difference(expected: Any, got: Any, place: str, tolerance: float = 0.0) -> Difference | None:
    """The first difference of two values; dtypes may differ, NaN equals NaN."""
    expected, got = _as_list(expected), _as_list(got)
    if isinstance(expected, dict) and isinstance(got, dict):
        if expected.keys() != got.keys():
            return Difference(f"keys of {place}", _words(sorted(expected)), _words(sorted(got)))
        parts = [(expected[k], got[k], f"{place}[{k!r}]") for k in expected]
    elif isinstance(expected, tuple | list) and isinstance(got, tuple | list):
        if len(expected) != len(got):
            return Difference(f"length of {place}", str(len(expected)), str(len(got)))
        parts = [
            (a, b, f"{place}[{k}]") for k, (a, b) in enumerate(zip(expected, got, strict=True))
        ]
    else:
        return _unlike(expected, got, place, tolerance)
    found = (difference(a, b, where, tolerance) for a, b, where in parts)
    return next((d for d in found if d is not None), None)


def _as_list(value: Any) -> Any:
    """An array of objects as a list of them."""
    return list(value) if isinstance(value, np.ndarray) and value.dtype == object else value


def _unlike(expected: Any, got: Any, place: str, tolerance: float) -> Difference | None:
    """The first difference of two arrays, numbers or other things."""
    try:
        a, b = np.asarray(expected), np.asarray(got)
    except ValueError:  # ragged: something of the env's own
        return None if expected == got else Difference(place, _words(expected), _words(got))
    if a.shape != b.shape:
        return Difference(f"shape of {place}", str(a.shape), str(b.shape))
    if a.dtype.kind in "fc" or b.dtype.kind in "fc":
        apart = ~np.isclose(a, b, rtol=0.0, atol=tolerance, equal_nan=True)
    else:
        apart = np.asarray(a != b)
    if not apart.any():
        return None
    first = tuple(int(k) for k in np.argwhere(apart)[0])
    where = place + (f"[{', '.join(map(str, first))}]" if first else "")
    return Difference(where, _words(a[first]), _words(b[first]))


def _words(value: Any) -> str:
    """A value on one short line."""
    text = " ".join((str(value) if isinstance(value, np.generic) else repr(value)).split())
    return text if len(text) <= 80 else text[:77] + "..."
