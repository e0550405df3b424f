"""The compiled kernels against the same code interpreted, with and without numba's bounds checks.

A compiler can be wrong: LLVM's vectoriser once gave eight lanes the reward of the last of them,
where there were more than 64.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

PLAY = """
import hashlib, json, sys
import numpy as np
from sidestep.envs import Level, MovingObstaclesVectorEnv, WorldConfig, solve

WALLED = "S.v.\\n?##.\\n.>.G\\n.?.^"
ROWS = "S....\\n..>..\\n.<...\\n..^>.\\n....G"
WORLDS = {
    "default": {},
    "every hit counts": {"level": ROWS, "hit_ends": False},
    "no swaps": {"level": ROWS, "swap_hits": False, "hit_ends": False, "obstacle_period": 1},
    "walls and wanderers": {"level": WALLED, "hit_ends": False, "obstacle_period": 3},
    "hits end": {"level": WALLED, "random_starts": False},
    "several levels": {"levels": (WALLED, WALLED.replace("v", ">"), WALLED[::-1])},
    "several, every hit": {"levels": (ROWS, ROWS[::-1]), "hit_ends": False},
}
VIEWS = {
    "features": {},
    "hidden": {"hide": ("headings", "phase"), "visible_every": 3},
    "book": {"observation": "book"},
    "planes": {"observation": "planes", "hide": ("headings",), "visible_every": 2},
    "window": {"observation": "window", "radius": 1, "visible_every": 3},
}

def play(world, lanes, ticks):
    env = MovingObstaclesVectorEnv(lanes, max_episode_steps=17, **world)
    random = np.random.default_rng(len(str(world)))
    parts = {"obs": [env.reset(seed=5)[0]], "reward": [], "ended": []}
    for _ in range(ticks):
        obs, reward, terminated, truncated, info = env.step(random.integers(0, 5, lanes))
        parts["obs"].append(obs)
        parts["reward"].append(reward)
        parts["ended"] += [terminated, truncated]
        parts["ended"] += [info.get(k, terminated) for k in ("is_success", "is_collision")]
    return {k: hashlib.sha256(np.stack(v).tobytes()).hexdigest()[:8] for k, v in parts.items()}

found = {}
with np.errstate(over="ignore"):
    for name, world in WORLDS.items():
        found[name] = play(world, 67, 16)
    found["more than a block"] = play({"level": ROWS, "hit_ends": False}, 300, 2)
    if sys.argv[1] == "all":
        for name, view in VIEWS.items():
            for world in ("every hit counts", "several levels"):
                found[name + ", " + world] = play({**WORLDS[world], **view}, 19, 8)
        for discount, limit in ((0.9, None), (1.0, 9)):
            solution = solve(WorldConfig(level="S.?\\n.>.\\n..G", hit_ends=limit is None),
                             max_ticks=limit, discount=discount)
            figures = solution.values, solution.returns, solution.successes, solution.lengths
            found["solver, limit %s" % limit] = np.round(np.mean(figures, axis=1), 9).tolist()
        found["random level"] = str(Level.random(3, 6, 6, patrols=3))
print(json.dumps(found))
"""


def play(extent: str, **switches: str) -> Mapping[str, object]:
    """What happens in some worlds, digested, in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", PLAY, extent],
        env=os.environ | switches,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: Mapping[str, object] = json.loads(done.stdout)
    assert len(found) > 7
    return found


@pytest.fixture(scope="module")
def interpreted() -> Mapping[str, object]:
    return play("all", NUMBA_DISABLE_JIT="1")


@pytest.mark.slow
def test_compiled_is_interpreted(interpreted: Mapping[str, object]) -> None:
    """Rules, observations, random levels and the solver."""
    assert play("all") == interpreted


@pytest.mark.slow
def test_rules_under_bounds_checks(interpreted: Mapping[str, object]) -> None:
    checked = play("rules", NUMBA_BOUNDSCHECK="1")
    assert checked == {name: interpreted[name] for name in checked}


@pytest.mark.slow
@pytest.mark.parametrize(
    "switch", ["NUMBA_BOUNDSCHECK=1", "NUMBA_SLP_VECTORIZE=1", "NUMBA_OPT=1", "NUMBA_ENABLE_AVX=0"]
)
def test_everything_under_the_compiler_s_switches(
    interpreted: Mapping[str, object], switch: str, tmp_path: str
) -> None:
    name, _, value = switch.partition("=")
    assert play("all", NUMBA_CACHE_DIR=str(tmp_path), **{name: value}) == interpreted
