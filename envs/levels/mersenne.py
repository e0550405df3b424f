"""Python's own random numbers in compiled code: what `random.Random(seed).random()` gives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.rules.compiling import compiled, inlined

SIZE = 624
"""Words of the generator's state; the entry after them counts how many have been used."""
LOW = 0xFFFFFFFF
"""The 32 bits of a word. They stand in 64 signed ones, which hold every product below."""


def words_of(seeds: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seeds from 0 on as the generator takes them.

    Returns:
        The 32-bit words of each, lowest first (L, W), and how many of them count (L,).
    """
    used = [max(1, (seed.bit_length() + 31) // 32) for seed in seeds]
    width = max(used)
    text = b"".join(seed.to_bytes(4 * width, "little") for seed in seeds)
    words = np.frombuffer(text, dtype="<u4").astype(np.int64)
    return words.reshape(len(seeds), width), np.array(used)


@inlined
def begin(state: Any, words: Any, used: Any) -> None:
    """Set the state from a seed: `init_by_array` of Matsumoto & Nishimura's mt19937ar.c (2002).

    Args:
        state: (625,) int64, written.
        words: of the seed.
        used: how many of them count.
    """
    state[0] = 19650218
    for i in range(1, SIZE):
        state[i] = (1812433253 * (state[i - 1] ^ (state[i - 1] >> 30)) + i) & LOW
    i, rounds = 1, max(SIZE, used)
    for j in range(rounds + SIZE - 1):
        before = state[i - 1] ^ (state[i - 1] >> 30)
        if j < rounds:
            state[i] = ((state[i] ^ ((1664525 * before) & LOW)) + words[j % used] + j % used) & LOW
        else:
            state[i] = ((state[i] ^ ((1566083941 * before) & LOW)) - i) & LOW
        i += 1
        if i == SIZE:
            state[0], i = state[SIZE - 1], 1
    state[0], state[SIZE] = 0x80000000, SIZE


@compiled
def below(state: Any, bound: Any) -> int:
    """An integer from 0 to below `bound`: `int(random() * bound)`, of two words."""
    if state[SIZE] == SIZE:
        for i in range(SIZE):
            joined = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7FFFFFFF)
            state[i] = state[(i + 397) % SIZE] ^ (joined >> 1) ^ (0x9908B0DF * (joined & 1))
        state[SIZE] = 0
    high, low = state[state[SIZE]], state[state[SIZE] + 1]
    state[SIZE] += 2
    return int(((temper(high) >> 5) * 67108864.0 + (temper(low) >> 6)) / 9007199254740992.0 * bound)


@inlined
def temper(y: Any) -> Any:
    """A word as it is handed out."""
    y = y ^ (y >> 11)
    y = y ^ ((y << 7) & 0x9D2C5680)
    y = y ^ ((y << 15) & 0xEFC60000)
    return y ^ (y >> 18)
