"""What the machine itself allows: the rules in plain C without an API, and a copy of what is shown.

The C is for `sidestep/MovingObstacles-v0` alone, one lane after the other: patrols, no walls, swaps
hit, a hit ends, NEXT_STEP. It plays what the world plays, bit for bit.
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

PLAIN_C, COPY = "plain C, features", "copy of features"
SOURCE = """
#include <stdint.h>
typedef struct { uint64_t seed, episode, key; int tick, x, y, phase, ended, o[3][4]; } lane;
static const int level[3][3] = {{2, 1, 1}, {1, 2, -1}, {3, 3, 1}};  /* column, row, heading */

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
static int draw(uint64_t key, uint64_t counter, uint64_t bound) {
  return (int)(((mix(key + (counter + 1) * 0x9E3779B97F4A7C15u) >> 32) * bound) >> 32);
}
static void begin(lane *a) {
  a->episode += 1;
  a->key = mix(mix(a->seed) + a->episode * 0xD1342543DE82EF95u);
  a->tick = a->x = a->y = 0;
  for (int k = 0; k < 3; k++) {
    int choice = draw(a->key, k, 10);
    a->o[k][0] = choice >> 1;
    a->o[k][1] = level[k][1];
    a->o[k][2] = (1 - 2 * (choice & 1)) * level[k][2];
    a->o[k][3] = 0;
  }
  a->phase = draw(a->key, 3, 2);
}
static void show(const lane *a, float *out) {
  for (int k = 0; k < 3; k++) {
    out[4 * k] = (a->o[k][0] - a->x) / 4.0f;
    out[4 * k + 1] = (a->o[k][1] - a->y) / 4.0f;
    out[4 * k + 2] = a->o[k][2];
    out[4 * k + 3] = a->o[k][3];
  }
  out[12] = (4 - a->x) / 4.0f;
  out[13] = (4 - a->y) / 4.0f;
  out[14] = a->phase;
}
void reset(lane *lanes, int number, uint64_t seed, float *out) {
  for (int i = 0; i < number; i++) {
    lanes[i].seed = seed + i, lanes[i].episode = 0, lanes[i].ended = 0;
    begin(lanes + i);
    show(lanes + i, out + 15 * i);
  }
}
void step(lane *lanes, int number, const int64_t *action, double *reward, uint8_t *terminated,
          uint8_t *truncated, float *out) {
  for (int i = 0; i < number; i++, out += 15) {
    lane *a = lanes + i;
    int x = a->x, y = a->y, hit = 0;
    reward[i] = 0.0, terminated[i] = truncated[i] = 0;
    if (a->ended) {
      a->ended = 0;
      begin(a);
      show(a, out);
      continue;
    }
    a->x += (action[i] == 2 && x < 4) - (action[i] == 3 && x > 0);
    a->y += (action[i] == 1 && y < 4) - (action[i] == 0 && y > 0);
    for (int k = 0; k < 3; k++) {
      int from = a->o[k][0], row = a->o[k][1];
      if (a->phase == 0) {
        int next = from + a->o[k][2];
        if (next < 0 || next > 4) a->o[k][2] = -a->o[k][2];
        a->o[k][0] += a->o[k][2];
      }
      int met = a->o[k][0] == a->x && row == a->y;
      hit |= met || (a->o[k][0] == x && row == y && from == a->x && row == a->y);
    }
    int goal = !hit && a->x == 4 && a->y == 4;
    a->phase = a->phase ? a->phase - 1 : 1;
    a->tick += 1;
    reward[i] = -0.05 + 1.0 * goal + -1.0 * hit;
    terminated[i] = hit || goal;
    truncated[i] = a->tick >= 100;
    a->ended = terminated[i] | truncated[i];
    show(a, out);
  }
}
"""
LANE = 3 * 8 + 5 * 4 + 12 * 4 + 4
"""Bytes of `lane`, with what aligns the next one."""


class PlainC:
    """The rules of one world in C, over `lanes` lanes.

    Raises:
        OSError: this system has no C compiler, or one that fails.
    """

    def __init__(self, lanes: int) -> None:
        """Compile with what stands in the path as `cc`."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise OSError("cc: expected a C compiler in the path, got none")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            source, library = Path(folder, "world.c"), Path(folder, "world.so")
            source.write_text(SOURCE, encoding="utf-8")
            words = [compiler, "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
            done = subprocess.run(
                [*words, "-o", str(library), str(source)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise OSError(f"cc: {done.stderr.strip().splitlines()[-1]}")
            self._code = ctypes.CDLL(str(library))
        self._memory = np.zeros(LANE * lanes, dtype=np.uint8)
        self.obs = np.zeros((lanes, 15), dtype=np.float32)
        self.reward = np.zeros(lanes)
        self.terminated, self.truncated = np.zeros((2, lanes), dtype=np.bool_)
        written = (self.reward, self.terminated, self.truncated, self.obs)
        self._lanes = (_address(self._memory), ctypes.c_int(lanes))
        self._written = [_address(array) for array in written]

    def reset(self, seed: int) -> None:
        """Begin the first episode of streams `seed`, `seed` + 1, ...; writes `obs`."""
        self._code.reset(*self._lanes, ctypes.c_uint64(seed), self._written[-1])

    def step(self, actions: NDArray[np.int64]) -> None:
        """Play one tick; writes `obs`, `reward`, `terminated` and `truncated`."""
        self._code.step(*self._lanes, _address(actions), *self._written)


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def limits(lanes: int) -> dict[str, Callable[[int], float]]:
    """Runners as of the world: plain C where there is a compiler, and a copy of `features`."""
    found: dict[str, Callable[[int], float]] = {}
    actions = np.random.default_rng(0).integers(0, 5, (64, lanes))
    try:
        world = PlainC(lanes)
    except OSError as error:
        gym.logger.warn(f"no row for plain C: {error}")
    else:
        world.reset(0)
        found[PLAIN_C] = lambda ticks: _timed(
            lambda tick: world.step(actions[tick & 63]), ticks, lanes
        )
    source, target = np.ones((2, lanes, 15), dtype=np.float32)
    found[COPY] = lambda ticks: _timed(lambda _: np.copyto(target, source), ticks, lanes)
    return found


def _timed(play: Callable[[int], Any], ticks: int, lanes: int) -> float:
    begin = time.thread_time()
    for tick in range((ticks + lanes - 1) // lanes):
        play(tick)
    return time.thread_time() - begin
