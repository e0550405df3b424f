"""The cache of compiled code: an edit of any of its sources takes effect, and nothing else does."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

import sidestep.envs.observations.features as vectors
import sidestep.envs.rules.draws as streams
import sidestep.envs.rules.memory as memory
import sidestep.envs.rules.moves as moves
import sidestep.envs.rules.tick as kernels
import sidestep.envs.solver.settling as solver_settling
import sidestep.envs.solver.sweeps as solver_kernels
from sidestep.envs import MovingObstaclesVectorEnv, solve_levels
from sidestep.envs.rules.calls import nothing, step_of
from sidestep.envs.rules.compiling import compiled, fingerprint
from sidestep.envs.rules.grid import Cell

ENVS = Path(kernels.__file__).parents[1]

PLAY = """
import numpy as np
from sidestep.envs import MovingObstaclesVectorEnv
from sidestep.envs.rules import tick as kernels
assert kernels.__file__.startswith({copy!r}), kernels.__file__
env = MovingObstaclesVectorEnv(1, level="S>\\n.G", random_starts=False, hit_ends=False)
env.reset(seed=0)
rewards = [float(env.step(np.array([4]))[1][0]), float(env.step(np.array([2]))[1][0])]
cache = [env.world._step.stats.cache_hits, env.world._step.stats.cache_misses]
print(rewards, [sum(counts.values()) for counts in cache])
"""

FEATURES = """
import sidestep.envs.observations.features as vectors
from sidestep.envs import MovingObstaclesVectorEnv
for keywords in ({}, {"levels": ("S>.\\n..G", "S.v\\n#.G")}, {"hide": ("phase",)}):
    MovingObstaclesVectorEnv(3, **keywords).reset(seed=0)
    kernels = vectors.features_of_one, vectors.features, vectors.glimpses
    print(*[len(kernel.signatures) for kernel in kernels])
"""


def run(code: str, path: Path, **switches: str) -> str:
    """What code prints in a new process that finds packages in `path` first."""
    own = {"PYTHONPATH": str(path), "NUMBA_CACHE_DIR": "", **switches}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file.name}: {old}"
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_an_edited_rule_takes_effect_on_a_warm_cache(tmp_path: Path) -> None:
    """An obstacle walks into the agent; then a copy of the rules counts no hits any more."""
    copy = tmp_path / "sidestep" / "envs"
    shutil.copytree(ENVS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    play = PLAY.format(copy=str(copy))
    struck = run(play, tmp_path)
    assert struck == "[-1.05, -0.05] [0, 1]"
    assert run(play, tmp_path) == "[-1.05, -0.05] [1, 0]"  # nothing changed: nothing compiled
    edit(copy / "rules" / "moves.py", "hits[i] += i16(same | swapped)", "hits[i] += i16(0)")
    assert run(play, tmp_path) == "[-0.05, -0.05] [0, 1]"


SOURCES = {
    "__init__.py": "",
    "compiling.py": (ENVS / "rules" / "compiling.py").read_text(encoding="utf-8"),
    "constants.py": "STEP, SCALES = 3, (1.0, 2.0)\n",
    "inner.py": """
import numba
from numba.extending import overload
from .compiling import compiled

def pick(value):
    return value

@overload(pick)
def _pick(value):
    def whole(value):
        return value * 1.0
    return whole

@compiled
def deepest(x):
    return pick(x) + 10
""",
    "middle.py": """
from . import constants
from .compiling import compiled
from .constants import STEP
from .inner import deepest

@compiled
def between(x):
    return deepest(x) + STEP * constants.SCALES[0] * constants.SCALES[1]
""",
    "outer.py": """
from .compiling import compiled
from .middle import between

@compiled
def top(x):
    return between(x) + later(x)

@compiled
def later(x):
    return 100
""",
}
TOP = """
from made.outer import top
value, hits, misses = top(1.0), top.stats.cache_hits, top.stats.cache_misses
print(value, sum(hits.values()), sum(misses.values()))
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of compiled functions that call each other, `made`, and its cache."""
    folder = tmp_path_factory.mktemp("warm") / "made"
    folder.mkdir()
    for name, text in SOURCES.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert run(TOP, folder.parent) == "117.0 0 1"
    assert run(TOP, folder.parent) == "117.0 1 0"
    return folder


@pytest.fixture
def made(warm: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(warm, tmp_path / "made"))


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("inner.py", "pick(x) + 10", "pick(x) + 20", "127.0"),  # called by what is called
        ("inner.py", "value * 1.0", "value * 5.0", "121.0"),  # another body of a plain function
        ("constants.py", "STEP, SCALES = 3", "STEP, SCALES = 4", "119.0"),
        ("constants.py", "(1.0, 2.0)", "(2.0, 2.0)", "123.0"),  # read as an attribute of a module
        ("outer.py", "return 100", "return 200", "217.0"),
    ],
)
def test_every_source_counts(made: Path, file: str, old: str, new: str, expected: str) -> None:
    edit(made / file, old, new)
    assert run(TOP, made.parent) == f"{expected} 0 1"


def test_an_edit_and_its_undoing(made: Path) -> None:
    edit(made / "inner.py", "10", "20")
    assert run(TOP, made.parent) == "127.0 0 1"
    assert run(TOP, made.parent) == "127.0 1 0"
    edit(made / "inner.py", "20", "10")
    assert run(TOP, made.parent) == "117.0 0 1"
    before = sorted((made / "__pycache__").glob("*.nb*"))
    assert len(before) == 4  # one a function: old code does not pile up


def test_what_changes_no_code_compiles_nothing(made: Path) -> None:
    for file in made.glob("*.py"):
        file.write_text("# a comment\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    os.utime(made / "inner.py", (1, 1))
    assert run(TOP, made.parent) == "117.0 1 0"


@pytest.mark.slow
def test_switches_of_the_compiler_are_kept_apart(made: Path) -> None:
    for switch, value in (("NUMBA_BOUNDSCHECK", "1"), ("NUMBA_LOOP_VECTORIZE", "0")):
        assert run(TOP, made.parent, **{switch: value}) == "117.0 0 1"
        assert run(TOP, made.parent, **{switch: value}) == "117.0 1 0"
    assert run(TOP, made.parent) == "117.0 1 0"  # neither has written over the other
    interpreted = TOP.replace("top.stats.cache_hits, top.stats.cache_misses", "{}, {}")
    assert run(interpreted, made.parent, NUMBA_DISABLE_JIT="1") == "117.0 0 0"


def test_damaged_files_are_compiled_anew(made: Path) -> None:
    files = sorted((made / "__pycache__").glob("*.nbc"))
    whole = files[3].read_bytes()
    changed = bytes([*whole[:-99], whole[-99] ^ 1, *whole[-98:]])
    for file, damaged in zip(files, (b"", whole[:-7], b"no pickle", changed), strict=True):
        file.write_bytes(damaged)
    assert run(TOP, made.parent) == "117.0 0 1"
    assert run(TOP, made.parent) == "117.0 1 0"
    assert sorted((made / "__pycache__").glob("*.nb*")) == files


@pytest.mark.slow
def test_processes_that_compile_at_once(made: Path) -> None:
    """Two signatures and two processes of each: whoever comes last, each finds its own."""
    whole = TOP.replace("1.0", "1")
    shutil.rmtree(made / "__pycache__")
    own = os.environ | {"PYTHONPATH": str(made.parent), "NUMBA_CACHE_DIR": ""}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=own, stdout=subprocess.PIPE, text=True)
        for code in (TOP, whole, TOP, whole)
    ]
    outputs = [process.communicate(timeout=300)[0].split()[0] for process in started]
    assert outputs == ["117.0"] * 4
    assert run(TOP, made.parent) == "117.0 1 0"
    assert run(whole, made.parent) == "117.0 1 0"


@pytest.mark.slow
def test_where_the_package_cannot_be_written(made: Path, tmp_path: Path) -> None:
    """The cache is then the user's; and where that cannot be written either there is none."""
    shutil.rmtree(made / "__pycache__")
    (made / "__pycache__").write_text("no folder can be made here")
    own = {"XDG_CACHE_HOME": str(tmp_path / "own"), "LOCALAPPDATA": str(tmp_path / "own")}
    assert run(TOP, tmp_path, **own) == "117.0 0 1"
    assert run(TOP, tmp_path, **own) == "117.0 1 0"
    edit(made / "inner.py", "10", "20")
    assert run(TOP, tmp_path, **own) == "127.0 0 1"
    (tmp_path / "none").write_text("nor here")
    own = {"XDG_CACHE_HOME": str(tmp_path / "none"), "LOCALAPPDATA": str(tmp_path / "none")}
    assert run(TOP, tmp_path, **own) == "127.0 0 1"
    assert run(TOP, tmp_path, **own) == "127.0 0 1"


def test_a_full_disk_loses_the_cache_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(self: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    kernel = compiled(lambda x: x + 2)
    monkeypatch.setattr(Path, "write_bytes", full)
    assert kernel(1) == 3
    assert not list(tmp_path.rglob("*.nbc*"))


def test_kernels_know_what_they_are_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in one module changes the key of those that reach it, and of no others."""
    watched = {
        "advance": step_of(nothing, False, False),
        "restart": kernels.restart,
        "settle": moves.settle,
        "features": vectors.features,
        "sweep": solver_kernels.sweep,
        "settling": solver_settling.settle,
    }

    def changed(module: Any, name: str, value: Any) -> set[str]:
        before = {key: fingerprint(kernel.py_func) for key, kernel in watched.items()}
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            return {k for k, f in watched.items() if fingerprint(f.py_func) != before[k]}

    @numba.njit
    def other(z: Any) -> Any:
        return z

    @intrinsic
    def cut(context: Any, memory: Any, begin: Any, shape: Any, dtype: Any) -> Any:
        return memory(memory, begin, shape, dtype), None

    assert changed(streams, "mix", other) == {"advance", "restart"}
    assert changed(streams, "_at", lambda value, i: None) == {"advance", "settle", "features"}
    assert changed(memory, "_cut", cut) == {"advance", "restart", "features"}
    assert changed(moves, "count_hits", other) == set()  # `kernels` has its own name for it
    assert changed(kernels, "count_hits", other) == {"advance"}
    assert changed(moves, "HIT_ENDS", 7) == {"advance", "settle"}
    assert changed(solver_kernels, "decide", other) == {"sweep", "settling"}
    assert changed(solver_settling, "TIE", 1e-9) == {"settling"}
    assert changed(vectors, "i16", np.int32) == {"features"}


def test_parts_of_kernels_are_compiled_with_them_and_never_alone() -> None:
    """One kernel a task for worlds of one level and of several: first use costs seconds enough."""
    compiled_for: list[list[Any]] = []
    for keywords in ({}, {"levels": ("S>.\n..G", "S.v\n#.G")}):
        env = MovingObstaclesVectorEnv(3, max_episode_steps=9, **keywords)
        env.reset(seed=0)
        env.step(np.zeros(3, dtype=np.int64))
        solve_levels(env)
        compiled_for.append([*solver_kernels.sweep.signatures])
    assert compiled_for[0] == compiled_for[1]
    parts = [
        value
        for module in (moves, kernels, vectors, solver_kernels)
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.targetoptions.get("inline") == "always"
    ]
    expected = {moves.settle, kernels.play_block, vectors.write_features, solver_kernels.decide}
    assert expected <= set(parts)
    assert not [part.__name__ for part in parts if part.overloads]


def test_a_world_compiles_what_writes_its_own_observation() -> None:
    """In a world of one level, what several levels need is compiled no more than what hides."""
    ran = subprocess.run(
        [sys.executable, "-c", FEATURES], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == ["1 0 0", "1 1 0", "1 1 1"]


def test_features_of_one_level_are_those_of_any() -> None:
    """The two kernels write the same bits, block after block."""
    env = MovingObstaclesVectorEnv(2 * kernels.BLOCK + 5, obstacle_period=3)
    env.reset(seed=2)
    for tick in range(7):
        env.step(np.arange(env.num_envs) * (tick + 1) % 5)
        out = [np.zeros((env.num_envs, *env.world.space.shape), np.float32) for _ in range(2)]
        vectors.features_of_one(*env.world.shown, out[0])
        vectors.features(*env.world.shown, out[1])
        assert out[0].tobytes() == out[1].tobytes()


def test_what_a_kernel_may_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, texts and arrays by value, other libraries' functions by name; nothing unknown."""

    def key(value: Any) -> str:
        monkeypatch.setattr(moves, "HIT_ENDS", value)
        return fingerprint(moves.settle.py_func)

    values: list[Any] = [
        0,
        1,
        True,
        1.0,
        np.int16(1),
        np.int32(1),
        "1",
        (1, 2),
        (2, 1),
        None,
        Cell(1, 2),
    ]
    values += [np.arange(3000), np.arange(3000)[::-1], np.zeros((2, 3)), np.zeros((3, 2))]
    values += [np.int16, float, np.sqrt, np.zeros, math.sqrt, math.floor, math]
    keys = [key(value) for value in values]
    assert len(set(keys)) == len(keys)
    assert [key(value) for value in values] == keys
    for unknown, kind in (({"a": 1}, "dict"), (Cell, "type"), ([1], "list")):
        words = f"compiled code reads HIT_ENDS: expected a number, .* or a function, got {kind}"
        with pytest.raises(TypeError, match=words):
            key(unknown)
