"""In fresh interpreters: light imports, registration by name, the same trajectories everywhere."""

import hashlib
import json
import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sidestep.envs import ENV_IDS, RECALL_IDS

GOLDEN = {
    "sidestep/MovingObstacles-v0": (
        "2db1eac9b5b23a02e4379c523f89a2440b2a5401d2fcd968c8ce89e737150b0a"
    ),
    "sidestep/Book-v0": "94a4ab0ea232b890f2f54aee2dd76f74b02cfa7022d4c0ac7236be61074f2b67",
    "wanderers": "8b0929f415c7f0e15d85a44a5c4d0ffa7cd1da1121af891f2e0763956c669425",
}
"""SHA-256 of what `trajectory` returns: any change to rules, streams or observations shows here."""

WANDERERS = "S.v.\n?##.\n.>.G\n.?.^"

TRAJECTORY = """
def trajectory(name, level):
    if name == "wanderers":
        config = {"level": level, "obstacle_period": 3, "hit_ends": False}
        env = gym.make_vec("sidestep.envs:sidestep/MovingObstacles-v0", 7, **config)
    else:
        env = gym.make_vec("sidestep.envs:" + name, 7)
    digest = hashlib.sha256(env.reset(seed=2026)[0].tobytes())
    for t in range(2000):
        actions = (np.arange(7) * 3 + t * t // 7 + t) % 5
        obs, reward, terminated, truncated, info = env.step(actions)
        for array in (obs, reward, terminated, truncated):
            digest.update(array.tobytes())
    return digest.hexdigest()
"""


def fresh(code: str) -> Any:
    """What `code` prints as JSON in a new interpreter that turns warnings into errors."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_import_is_light() -> None:
    heavy = ["torch", "pygame", "matplotlib", "imageio", "tyro", "rich"]
    code = (
        f"import json, sys, sidestep.envs; print(json.dumps([m in sys.modules for m in {heavy}]))"
    )
    assert fresh(code) == [False] * len(heavy)


def test_playing_without_pictures_stays_light() -> None:
    code = (
        "import json, sys, gymnasium as gym\n"
        "for make in (gym.make, gym.make_vec):\n"
        "    env = make('sidestep.envs:sidestep/MovingObstacles-v0')\n"
        "    env.reset(seed=0); env.step(env.action_space.sample()); env.close()\n"
        "print(json.dumps(['torch' in sys.modules, 'pygame' in sys.modules]))"
    )
    assert fresh(code) == [False, False]


@pytest.mark.parametrize("env_id", ["sidestep/MovingObstacles-v0", "sidestep/Book-v0"])
def test_make_by_module_and_id(env_id: str) -> None:
    code = (
        "import json, gymnasium as gym\n"
        f"env = gym.make('sidestep.envs:{env_id}')\n"
        "print(json.dumps([env.spec.id, env.reset(seed=3)[0].tolist()]))"
    )
    here = gym.make(f"sidestep.envs:{env_id}")
    assert fresh(code) == [env_id, here.reset(seed=3)[0].tolist()]


def test_registering_twice_is_harmless() -> None:
    code = (
        "import json, importlib, gymnasium as gym, sidestep.envs\n"
        "importlib.reload(sidestep.envs)\n"
        "print(json.dumps(sorted(i for i in gym.registry if i.startswith('sidestep/'))))"
    )
    assert fresh(code) == sorted((*ENV_IDS, *RECALL_IDS))
    assert len(ENV_IDS) == len(set(ENV_IDS)) >= 3


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_trajectory(name: str) -> None:
    space: dict[str, Any] = {"gym": gym, "np": np, "hashlib": hashlib}
    exec(TRAJECTORY, space)
    assert space["trajectory"](name, WANDERERS) == GOLDEN[name]


def test_golden_trajectories_in_another_process() -> None:
    code = (
        "import hashlib, json, gymnasium as gym, numpy as np\n"
        f"{TRAJECTORY}\n"
        f"print(json.dumps({{n: trajectory(n, {WANDERERS!r}) for n in {list(GOLDEN)}}}))"
    )
    assert fresh(code) == GOLDEN
