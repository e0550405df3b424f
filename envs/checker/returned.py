"""What a vector env returned from one call, against its spaces and its autoreset mode."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space, spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray


class Finding(NamedTuple):
    """One fault of a vector env."""

    rule: str
    """spaces, returns, info, autoreset, buffers, inputs, seeding, lanes, reset_mask, single."""
    expected: str
    got: str

    def __str__(self) -> str:
        """The fault on one line."""
        return f"{self.rule}: expected {self.expected}, got {self.got}"


def check_reset_returns(
    env: VectorEnv[Any, Any, Any], returned: Any, mask: NDArray[np.bool_] | None, when: str
) -> Iterator[Finding]:
    """What `reset` returned.

    Args:
        env: the vector env.
        returned: all of it.
        mask: the lanes that were reset; None for all.
        when: the call, in words.
    """
    if not isinstance(returned, tuple) or len(returned) != 2:
        yield Finding("returns", "(obs, info) from reset", f"{_kind(returned)} {when}")
        return
    obs, info = returned
    yield from _check_value(env.observation_space, obs, "obs", when)
    yield from check_info(info, env.num_envs, when)
    if not isinstance(info, dict):
        return
    for key in ("final_obs", "final_info"):
        if key in info:
            yield Finding("autoreset", f"no {key} from reset", f"one {when}")
    if mask is not None:
        for key, given in _masks(info):
            if (given & ~mask).any():
                lanes = np.flatnonzero(given & ~mask).tolist()
                yield Finding(
                    "reset_mask", "info of lanes in the mask only", f"{key!r} of {lanes} {when}"
                )


def check_step_returns(
    env: VectorEnv[Any, Any, Any],
    mode: AutoresetMode,
    returned: Any,
    ended_before: NDArray[np.bool_],
    when: str,
) -> Iterator[Finding]:
    """What `step` returned.

    Args:
        env: the vector env.
        mode: how it restarts lanes that ended.
        returned: all of it.
        ended_before: (num_envs,) which lanes ended in the step before.
        when: the call, in words.
    """
    if not isinstance(returned, tuple) or len(returned) != 5:
        expected = "(obs, reward, terminated, truncated, info) from step"
        yield Finding("returns", expected, f"{_kind(returned)} {when}")
        return
    obs, reward, terminated, truncated, info = returned
    n = env.num_envs
    yield from _check_value(env.observation_space, obs, "obs", when)
    faults = [
        *_check_array(reward, n, "f", "reward", when),
        *_check_array(terminated, n, "b", "terminated", when),
        *_check_array(truncated, n, "b", "truncated", when),
    ]
    yield from faults
    yield from check_info(info, n, when)
    if faults or not isinstance(info, dict):
        return
    if not np.isfinite(reward).all():
        yield Finding("returns", "finite reward", f"{reward.tolist()} {when}")
    ended = terminated | truncated
    if mode is AutoresetMode.NEXT_STEP:
        for name, values in (("reward", reward), ("terminated", terminated), ("truncated", ended)):
            wrong = ended_before & (values != 0)
            if wrong.any():
                lane = int(np.flatnonzero(wrong)[0])
                yield Finding(
                    "autoreset",
                    f"{name} 0 in the step that resets a lane",
                    f"{values[lane]} in lane {lane} {when}",
                )
    if mode is AutoresetMode.SAME_STEP:
        yield from _check_final(env, info, ended, when)
    else:
        for key in ("final_obs", "final_info"):
            if key in info:
                yield Finding("autoreset", f"no {key} in the mode {mode.value}", f"one {when}")


def _check_final(
    env: VectorEnv[Any, Any, Any], info: dict[str, Any], ended: NDArray[np.bool_], when: str
) -> Iterator[Finding]:
    """SAME_STEP: `final_obs` and `final_info` of exactly the lanes that ended."""
    for key in ("final_obs", "final_info"):
        mask = info.get(f"_{key}")
        if key not in info or mask is None:
            if ended.any():
                name = key if key not in info else f"_{key}"
                yield Finding("autoreset", f"{name} where a lane ended", f"none {when}")
        elif not np.array_equal(mask, ended):
            got = np.asarray(mask).astype(int).tolist()
            yield Finding(
                "autoreset",
                f"_{key} true where a lane ended, {ended.astype(int).tolist()}",
                f"{got} {when}",
            )
    final = info.get("final_obs")
    if final is None:
        return
    if not isinstance(final, np.ndarray) or final.dtype != object or len(final) != env.num_envs:
        expected = f"final_obs as an array of {env.num_envs} objects"
        yield Finding("autoreset", expected, f"{_kind(final)} {when}")
        return
    for lane, obs in enumerate(final):
        if ended[lane]:
            where = f"final_obs[{lane}]"
            yield from _check_value(env.single_observation_space, obs, where, when)
        elif obs is not None:
            yield Finding("autoreset", "final_obs None where no lane ended", f"another {when}")


def check_info(info: Any, lanes: int, when: str, masked: bool = False) -> Iterator[Finding]:
    """Every entry has one value a lane, and a mask of the lanes that it belongs to.

    Args:
        info: what was returned.
        lanes: how many there are.
        when: the call, in words.
        masked: a dict within, whose own mask stands for those of its entries.
    """
    if not isinstance(info, dict):
        yield Finding("info", "a dict", f"{_kind(info)} {when}")
        return
    for key, value in info.items():
        if not isinstance(key, str):
            yield Finding("info", "keys that are strings", f"{key!r} {when}")
        elif key.startswith("_"):
            yield from _check_mask(info, key, lanes, when)
        else:
            if f"_{key}" not in info and not masked:
                yield Finding("info", f"a mask '_{key}' beside '{key}'", f"none {when}")
            if isinstance(value, dict):
                yield from check_info(value, lanes, when, masked=True)
            elif not isinstance(value, np.ndarray | tuple | list) or len(value) != lanes:
                got = f"{_kind(value)} {when}"
                yield Finding("info", f"'{key}' with one entry for each of {lanes} lanes", got)


def _check_mask(info: dict[str, Any], key: str, lanes: int, when: str) -> Iterator[Finding]:
    mask = info[key]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (lanes,):
        expected = f"the mask '{key}' as ({lanes},) bool"
        yield Finding("info", expected, f"{_kind(mask)} {when}")
    elif key[1:] not in info:
        yield Finding("info", f"'{key[1:]}' beside its mask '{key}'", f"none {when}")


def _masks(info: dict[str, Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for key, value in info.items():
        if key.startswith("_") and isinstance(value, np.ndarray) and value.dtype == np.bool_:
            yield key[1:], value


def _check_value(space: Space[Any], value: Any, name: str, when: str) -> Iterator[Finding]:
    """Dtypes as the space has them, and in its bounds."""
    unlike = list(_unlike_dtypes(space, value, name))
    for where, expected, got in unlike:
        yield Finding("returns", f"{where} of {expected}", f"{got} {when}")
    if not unlike and not space.contains(value):
        yield Finding("returns", f"{name} in {_short(space)}", f"{_short(value)} {when}")


def _unlike_dtypes(space: Space[Any], value: Any, name: str) -> Iterator[tuple[str, str, str]]:
    """Where, expected and got of every array that is not of its space's dtype and shape."""
    if isinstance(space, spaces.Dict) and isinstance(value, dict):
        for key, part in space.spaces.items():
            yield from _unlike_dtypes(part, value.get(key), f"{name}[{key!r}]")
    elif isinstance(space, spaces.Tuple) and isinstance(value, tuple):
        for k, (part, own) in enumerate(zip(space.spaces, value, strict=False)):
            yield from _unlike_dtypes(part, own, f"{name}[{k}]")
    elif isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        expected = f"{space.dtype} {space.shape}"
        if not isinstance(value, np.ndarray):
            yield name, expected, _kind(value)
        elif value.dtype != space.dtype or value.shape != space.shape:
            yield name, expected, _kind(value)


def _check_array(value: Any, lanes: int, kind: str, name: str, when: str) -> list[Finding]:
    words = {"f": "floats", "b": "bool"}[kind]
    fits = isinstance(value, np.ndarray) and value.dtype.kind == kind and value.shape == (lanes,)
    expected = f"{name} as ({lanes},) {words}"
    return [] if fits else [Finding("returns", expected, f"{_kind(value)} {when}")]


def _kind(value: Any) -> str:
    """A value's type in words; of arrays dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__ + (f" of {len(value)}" if isinstance(value, tuple | list) else "")


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
