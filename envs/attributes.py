"""Attributes of lanes, as `SyncVectorEnv` reads and sets them."""

from typing import Any

from .arguments import check_render_mode


def call(env: Any, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Call a method, or read an attribute, of every lane.

    Lanes know `scene`, `render`, `np_random_seed`, `level`, and what all of them share: every
    other attribute of this environment.

    Raises:
        AttributeError: no such name.
    """
    if name == "scene":
        return tuple(env.scene(i, *args, **kwargs) for i in range(env.num_envs))
    if name == "render":
        return tuple(env.render(*args, **kwargs) or (None,) * env.num_envs)
    if name == "np_random_seed":
        return tuple(env.np_random_seed)
    if name == "level":
        return tuple(env.world.levels[number] for number in env.world.level_of)
    shared = {"action_space": env.single_action_space}
    shared["observation_space"] = env.single_observation_space
    value = shared[name] if name in shared else getattr(env, name)
    if callable(value):
        raise AttributeError(f"call: expected a lane's method (scene, render), got {name!r}")
    return tuple(value for _ in range(env.num_envs))


def set_attr(env: Any, name: str, values: Any) -> None:
    """Set an attribute that all lanes share.

    Args:
        env: whose.
        name: an existing attribute, such as `render_mode`.
        values: one value, or a list or tuple of equal ones, an entry a lane.

    Raises:
        AttributeError: no such name, or one that only `gym.make_vec` can set.
        ValueError: a list of another length, or of values that differ.
    """
    if not isinstance(values, list | tuple):
        values = [values] * env.num_envs
    if len(values) != env.num_envs or any(value != values[0] for value in values):
        raise ValueError(f"set_attr: expected {env.num_envs} equal values, got {values!r}")
    if name != "render_mode":
        raise AttributeError(f"set_attr: expected 'render_mode', got {name!r}")
    check_render_mode(values[0], env.metadata["render_modes"])
    env.render_mode = values[0]
