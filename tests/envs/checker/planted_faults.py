"""The faults that `check_vector_env` must find, each with the line that tells it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from sidestep.envs import MovingObstaclesVectorEnv

from .planting import (
    LIMIT,
    NEXT,
    OFF,
    SAME,
    Counting,
    Kept,
    Planted,
    after_step,
    batched_final,
    biased,
    by_place,
    drift,
    everywhere,
    filled_final,
    forgiving,
    half_precision,
    late_final,
    less,
    mixing,
    next_episode_first,
    one_seed,
    options,
    outside,
    overwrite_mask,
    planted,
    pop_mask,
    restarting,
    rounded_final,
    seeds,
    sliced,
    sorted_seeds,
    with_info,
    write_actions,
)

FAULTS: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "dtype": (after_step(half_precision), NEXT, "returns: expected obs of float32 (3, 15), got"),
    "bounds": (after_step(outside), NEXT, "returns: expected obs in Box("),
    "first obs": (
        planted(begun=lambda self, obs, info: (obs[:2], info)),
        OFF,
        "returns: expected obs of float32 (3, 15), got float32 (2, 15) from the first reset",
    ),
    "reset alone": (
        planted(begun=lambda self, obs, info: obs),
        NEXT,
        "returns: expected (obs, info) from reset, got float32 (3, 15)",
    ),
    "old step": (
        after_step(lambda env, o, r, e, c, i: (o, r, e | c, i)),
        NEXT,
        "returns: expected (obs, reward, terminated, truncated, info) from step, got tuple of 4",
    ),
    "whole rewards": (
        after_step(lambda env, o, r, *rest: (o, r.astype(np.int64), *rest)),
        NEXT,
        "returns: expected reward as (3,) floats, got int64 (3,) in step 0",
    ),
    "flags as numbers": (
        after_step(lambda env, o, r, e, c, i: (o, r, e, c.astype(np.int8), i)),
        NEXT,
        "returns: expected truncated as (3,) bool, got int8 (3,) in step 0",
    ),
    "no number": (
        after_step(lambda env, o, r, *rest: (o, r * np.nan, *rest)),
        NEXT,
        "returns: expected finite reward, got [nan, nan, nan] in step 0",
    ),
    "info": (
        after_step(lambda env, o, r, e, c, i: (o, r, e, c, [i])),
        NEXT,
        "info: expected a dict, got list of 1 in step 0",
    ),
    "no mask": (
        with_info(less("_is_success")),
        NEXT,
        "info: expected a mask '_is_success' beside 'is_success', got none in step 0",
    ),
    "only a mask": (
        with_info(less("is_success")),
        NEXT,
        "info: expected 'is_success' beside its mask '_is_success', got none in step 0",
    ),
    "whole mask": (
        with_info(lambda info, ended: info | {"_is_success": np.ones(3)}),
        SAME,
        "info: expected the mask '_is_success' as (3,) bool, got float64 (3,) in step 0",
    ),
    "short entry": (
        with_info(lambda info, ended: info | {"is_success": np.ones(2)}),
        NEXT,
        "info: expected 'is_success' with one entry for each of 3 lanes, got float64 (2,)",
    ),
    "keys": (
        with_info(lambda info, ended: info | {1: np.ones(3)}),
        NEXT,
        "info: expected keys that are strings, got 1 in step 0",
    ),
    "metadata": (
        planted(metadata={"autoreset_mode": "NextStep"}),
        NEXT,
        "spaces: expected an AutoresetMode as metadata['autoreset_mode'], got 'NextStep'",
    ),
    "batched space": (
        planted(action_space=gym.spaces.MultiDiscrete([5, 5, 4])),
        NEXT,
        "spaces: expected action_space MultiDiscrete([5 5 5]), got MultiDiscrete([5 5 4])",
    ),
    "reward of a reset": (
        after_step(lambda env, o, r, *rest: (o, np.full(3, -0.1), *rest)),
        NEXT,
        "autoreset: expected reward 0 in the step that resets a lane, got -0.1 in lane",
    ),
    "ends twice": (
        after_step(lambda env, o, r, e, c, i: (o, r, e, c | (r == 0), i)),
        NEXT,
        "autoreset: expected truncated 0 in the step that resets a lane, got True in lane",
    ),
    "acts while resetting": (
        Counting,
        NEXT,
        "autoreset: expected the same play whatever the action of a step that resets a lane",
    ),
    "final in other modes": (
        with_info(lambda info, e: info | {"final_obs": [0] * 3, "_final_obs": e}),
        NEXT,
        "autoreset: expected no final_obs in the mode NextStep, got one in step 0",
    ),
    "final after reset": (
        planted(
            begun=lambda self, obs, info: (
                obs,
                {"final_info": {}, "_final_info": np.zeros(3, np.bool_)},
            )
        ),
        SAME,
        "autoreset: expected no final_info from reset, got one from the first reset",
    ),
    "no final_obs": (
        with_info(less("final_obs")),
        SAME,
        "autoreset: expected final_obs where a lane ended, got none in step",
    ),
    "no final_info": (
        with_info(less("final_info")),
        SAME,
        "autoreset: expected final_info where a lane ended, got none in step",
    ),
    "no final mask": (
        with_info(less("_final_info")),
        SAME,
        "autoreset: expected _final_info where a lane ended, got none in step",
    ),
    "final mask of others": (
        with_info(late_final),
        SAME,
        "autoreset: expected _final_obs true where a lane ended, [",
    ),
    "final_obs as a batch": (
        with_info(batched_final),
        SAME,
        "autoreset: expected final_obs as an array of 3 objects, got float32 (3, 15) in step",
    ),
    "final_obs of all": (
        with_info(filled_final),
        SAME,
        "autoreset: expected final_obs None where no lane ended, got another in step",
    ),
    "final_obs's dtype": (with_info(rounded_final), SAME, "] of float32 (15,), got float64 (15,)"),
    "final_obs of the next": (
        after_step(next_episode_first),
        SAME,
        "single: expected lane i to play what a single env plays with seed s + i, got",
    ),
    "resets though disabled": (
        after_step(restarting),
        OFF,
        "single: expected lane i to play what a single env plays with seed s + i, got",
    ),
    "buffers": (
        lambda mode: MovingObstaclesVectorEnv(3, LIMIT, autoreset_mode=mode, copy=False),
        NEXT,
        "buffers: expected returned arrays that stay as they are, got what the first reset",
    ),
    "keeps what it returns": (
        Kept,
        NEXT,
        "buffers: expected the same play when returned arrays are overwritten, got",
    ),
    "writes actions": (
        planted(step=write_actions),
        NEXT,
        "inputs: expected actions untouched, got changed in step 0",
    ),
    "pops the mask": (
        options(pop_mask),
        OFF,
        "inputs: expected options untouched, got keys [] after reset",
    ),
    "writes the mask": (
        options(overwrite_mask),
        SAME,
        "inputs: expected the reset mask untouched, got [False, False, False]",
    ),
    "no seed": (
        seeds(lambda seed: None),
        NEXT,
        "seeding: expected the same play of the same seed, got",
    ),
    "goes on by itself": (
        after_step(drift),
        NEXT,
        "seeding: expected the same play of the same seed after a second reset, without seed, got",
    ),
    "one seed for all": (
        seeds(one_seed),
        NEXT,
        "lanes: expected reset(seed=[s, s + 1, ...]) to play what reset(seed=s) plays, got",
    ),
    "any number of seeds": (
        seeds(sliced),
        NEXT,
        "lanes: expected an error for 6 seeds of 3 lanes, got none",
    ),
    "seeds in order": (
        seeds(sorted_seeds),
        SAME,
        "lanes: expected a lane's play to follow from its seed and actions alone, got",
    ),
    "lanes by place": (
        after_step(by_place),
        NEXT,
        "lanes: expected a lane's play to follow from its seed and actions alone, got",
    ),
    "lanes by each other": (
        after_step(mixing),
        NEXT,
        "reset_mask: expected lanes outside of the mask to play on as if there had been no reset",
    ),
    "resets all": (
        options(everywhere),
        NEXT,
        "reset_mask: expected lanes outside of the mask to show what they showed, got obs of",
    ),
    "info of others": (
        planted(begun=lambda self, obs, info: (obs, {"a": np.ones(3), "_a": np.ones(3, np.bool_)})),
        NEXT,
        "reset_mask: expected info of lanes in the mask only, got 'a' of [1] from a masked reset",
    ),
    "seeds beside a mask": (
        lambda mode: type(
            "Fault",
            (Planted,),
            {
                "reset": lambda self, *, seed=None, options=None: self.env.reset(
                    seed=None if options else seed, options=options
                )
            },
        )(mode),
        NEXT,
        "reset_mask: expected lanes of the mask to play what their seeds play, got",
    ),
    "any mask": (
        options(forgiving),
        OFF,
        "reset_mask: expected an error for a mask of integers, got none",
    ),
    "another reward": (
        after_step(lambda env, o, r, *rest: biased(env, o, np.where(r == 0, -1e-6, r), *rest)),
        NEXT,
        "single: expected lane i to play what a single env plays with seed s + i, got",
    ),
}
