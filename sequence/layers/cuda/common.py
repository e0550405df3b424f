"""What the kernels share: products, gates in torch's order of rows, and the barrier of a row tile.

Axis letters as everywhere: T time, B batch, H hidden units. A program owns BB rows of the batch
(a row tile) and HS units. Sums are float32 whatever the tensors are.
"""

import triton
import triton.language as tl

EARLY_SIZE = tl.constexpr(512)
"""Numbers of a tile up to which those of a step are loaded before its products, to come meanwhile;
in larger ones they would take the registers that the products need."""


@triton.jit
def head(x):
    """The float32 numbers x as far as TF32 keeps them: 10 bits of the mantissa."""
    return (x.to(tl.uint32, bitcast=True) & 0xFFFFE000).to(tl.float32, bitcast=True)


@triton.jit
def dot(a, b, total, PRECISION: tl.constexpr):
    """Total + a b, in the precision of b's dtype; of float32 numbers as PRECISION says.

    "tf32x3" is head head + head tail + tail head, as Triton's own, but in three sums: the tensor
    cores do not wait for one number to pass through all products in turn.
    """
    if b.dtype != tl.float32:
        return tl.dot(a.to(b.dtype), b, total)
    elif PRECISION == "tf32x3":
        a_head, b_head = head(a), head(b)
        zero = tl.zeros_like(total) + tl.where(tl.num_programs(0) > 0, 0.0, 1.0)
        left = tl.dot(a - a_head, b_head, zero, input_precision="tf32")
        right = tl.dot(a_head, b - b_head, zero, input_precision="tf32")
        return tl.dot(a_head, b_head, total, input_precision="tf32") + (left + right)
    else:
        return tl.dot(a, b, total, input_precision=PRECISION)


@triton.jit
def stacked(at, offsets, mask, stride, GATES: tl.constexpr, FIRST: tl.constexpr):
    """One piece (X, Y) of each gate as (4, X, Y), gate FIRST first, zeros past GATES.

    Past the L1 cache, which would not see what another program has written.
    """
    gate = tl.arange(0, 4)
    shift = ((gate + FIRST) % GATES)[:, None, None] * stride
    mask = mask[None, :, :] & (gate < GATES)[:, None, None]
    return tl.load(at + shift + offsets[None, :, :], mask=mask, other=0, cache_modifier=".cg")


@triton.jit
def unstacked(x):
    """(4, X, Y) as four (X, Y)."""
    pairs = tl.reshape(tl.permute(x, (1, 2, 0)), (x.shape[1], x.shape[2], 2, 2))
    even, odd = tl.split(pairs)
    a, c = tl.split(even)
    b, d = tl.split(odd)
    return a, b, c, d


@triton.jit
def load_gates(at, mask, H: tl.constexpr, GATES: tl.constexpr):
    """The first GATES (1, 3 or 4) neighbours of H, as four; what there is not repeats the first."""
    a = tl.load(at, mask=mask, other=0).to(tl.float32)
    b, c, d = a, a, a
    if GATES > 1:
        b = tl.load(at + H, mask=mask, other=0).to(tl.float32)
        c = tl.load(at + 2 * H, mask=mask, other=0).to(tl.float32)
    if GATES > 3:
        d = tl.load(at + 3 * H, mask=mask, other=0).to(tl.float32)
    return a, b, c, d


@triton.jit
def store_gates(at, a, b, c, d, mask, H: tl.constexpr, GATES: tl.constexpr):
    """What `load_gates` reads, back."""
    to = at.dtype.element_ty
    tl.store(at, a.to(to), mask=mask)
    if GATES > 1:
        tl.store(at + H, b.to(to), mask=mask)
        tl.store(at + 2 * H, c.to(to), mask=mask)
    if GATES > 3:
        tl.store(at + 3 * H, d.to(to), mask=mask)


@triton.jit
def load_weight(at, mask, WHOLE: tl.constexpr):
    """A piece of W; WHOLE where no unit is padding and no mask is needed."""
    if WHOLE:
        return tl.load(at)
    else:
        return tl.load(at, mask=mask, other=0)


@triton.jit
def load_weights(at, mask, H: tl.constexpr, GATES: tl.constexpr, FIRST: tl.constexpr,
                 WHOLE: tl.constexpr):  # fmt: skip
    """The same piece of every gate's matrix (H, H), gate FIRST first; see `load_gates`."""
    size: tl.constexpr = H * H
    a = load_weight(at + FIRST * size, mask, WHOLE)
    b, c, d = a, a, a
    if GATES > 1:
        b = load_weight(at + (FIRST + 1) % GATES * size, mask, WHOLE)
        c = load_weight(at + (FIRST + 2) % GATES * size, mask, WHOLE)
    if GATES > 3:
        d = load_weight(at + (FIRST + 3) % GATES * size, mask, WHOLE)
    return a, b, c, d


@triton.jit
def load_state(first, states, t, row, size, offsets, mask, H: tl.constexpr):
    """What step t finds before it: `first` (B, H) where t is 0, else row t - 1 of `states`.

    Past the L1 cache, which would not see what another program has written.
    """
    at = tl.where(t > 0, states + ((t - 1) * size + row) * H, first + row * H)
    return tl.load(at + offsets, mask=mask, other=0, cache_modifier=".cg")


@triton.jit
def wait_for_all(counter, target, LOOKS: tl.constexpr):
    """Wait until all programs that share `counter` have come here, `target` arrivals in all.

    What they wrote before is seen after. The launch is cooperative, so all of them run at once and
    the wait ends; should it not, in spite of that, it is given up after LOOKS looks.

    Returns:
        What the caller adds to its numbers from there on: 0, or NaN where not all have come, so
        that there is no wrong result.
    """
    tl.debug_barrier()  # the other warps' stores come before the release
    tl.atomic_add(counter, 1, sem="release", scope="gpu")
    seen = tl.atomic_add(counter, 0, sem="acquire", scope="gpu")
    looks = 0
    while (seen < target) & (looks < LOOKS):
        seen = tl.atomic_add(counter, 0, sem="acquire", scope="gpu")
        looks += 1
    tl.debug_barrier()
    return tl.where(seen >= target, 0.0, float("nan"))


@triton.jit
def leave(counter, departures, programs):
    """Say that this program looks at `counter` no more; the last to leave sets both to 0 again."""
    if tl.atomic_add(departures, 1) == programs - 1:
        tl.store(counter, 0)
        tl.store(departures, 0)
