"""What a step of RNN, LSTM and GRU computes between its matrix products, in compiled code.

One call does for a step what takes torch six to ten operations, each of which goes through memory
anew: at 64 rows of 64 units an LSTM's step takes 8 microseconds in the place of 27. The products
stay torch's. Kernels are compiled when they are first called, once for float32 and once for float64
(half a second each), and lie in numba's cache from then on. All that they call stands in this file,
at whose date that cache looks.

Rows are gone through several times, each time with few arrays: the compiler makes vectors of a loop
over units only where it can ask soon enough whether its arrays overlap (measured: twice as fast).

Axis letters: T time, B batch, H hidden units. Every array is contiguous. `reset` is (T, B), or
(0, 0) where nothing is ever cleared; `read` (B, H) is what a step reads of the past, cleared where
an episode begins.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic, overload

from .cached import compiled_with

f32 = np.float32
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}
"""Products and sums may be joined, sums reordered, and a division by 0 is as numpy's."""
compiled = compiled_with(OPTIONS)


def inlined(function: Any) -> Any:
    """A part of kernels."""
    return numba.njit(inline="always", **OPTIONS)(function)


@intrinsic  # type: ignore[untyped-decorator]
def _as_float(context: Any, bits: Any) -> Any:
    """The float32 of these 32 bits."""
    del context

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(bits), generate


def _by_precision(single: Any, double: Any) -> Any:
    """The function that compiled code calls: `single` for float32, `double` for float64."""

    def function(x: Any) -> Any:
        raise TypeError("expected to be called from compiled code")

    def chosen(x: Any) -> Any:
        return single if x == types.float32 else double

    overload(function, jit_options=OPTIONS)(chosen)
    return function


def _exp_single(x: Any) -> Any:
    """2^k e^r with |r| <= log(2) / 2, e^r by its series to x^7; vectors, unlike libm's."""
    x = f32(88.0) if x > f32(88.0) else x  # so written, NaN stays NaN
    x = f32(-87.0) if x < f32(-87.0) else x
    k = np.floor(x * f32(1.4426950408889634) + f32(0.5))
    r = (x - k * f32(0.693359375)) + k * f32(2.12194440054691e-4)
    p = f32(1 / 5040)
    p = p * r + f32(1 / 720)
    p = p * r + f32(1 / 120)
    p = p * r + f32(1 / 24)
    p = p * r + f32(1 / 6)
    p = p * r + f32(0.5)
    p = (p * r * r + r) + f32(1.0)
    return p * _as_float(np.int32((np.int32(k) + np.int32(127)) << np.int32(23)))


def _exp_double(x: Any) -> Any:
    return math.exp(x)


_exp = _by_precision(_exp_single, _exp_double)


def _tanh_single(x: Any) -> Any:
    """(1 - e) / (1 + e) with e = exp(-2 |x|), and near 0, where that cancels, the series."""
    size = abs(x)
    e = _exp(f32(-2.0) * size)
    far = (f32(1.0) - e) / (f32(1.0) + e)
    q = x * x
    p = f32(21844 / 6081075)
    p = p * q + f32(-1382 / 155925)
    p = p * q + f32(62 / 2835)
    p = p * q + f32(-17 / 315)
    p = p * q + f32(2 / 15)
    p = p * q + f32(-1 / 3)
    near = x + x * q * p
    signed = far if x > f32(0.0) else -far
    return near if size < f32(0.4) else signed


def _tanh_double(x: Any) -> Any:
    return math.tanh(x)


_tanh = _by_precision(_tanh_single, _tanh_double)


def _sigmoid_single(x: Any) -> Any:
    return f32(1.0) / (f32(1.0) + _exp(-x))  # a bare 1 would make doubles of all


def _sigmoid_double(x: Any) -> Any:
    return 1.0 / (1.0 + _exp(-x))


_sigmoid = _by_precision(_sigmoid_single, _sigmoid_double)


@inlined
def _pass_on(t: Any, states: Any, reset: Any, read: Any) -> None:
    """Put the states of step t where the next one reads them."""
    for b in range(read.shape[0]):
        now, to = states[t, b], read[b]
        if t + 1 < reset.shape[0] and reset[t + 1, b]:
            for j in range(to.size):  # loops: an assignment of rows costs as much as the step
                to[j] = 0
        else:
            for j in range(to.size):
                to[j] = now[j]


@inlined
def _stop(t: Any, reset: Any, grad: Any) -> None:
    """Clear the gradient that comes from step t + 1 in the rows where an episode begins there."""
    if t + 1 < reset.shape[0]:
        for b in range(grad.shape[0]):
            if reset[t + 1, b]:
                row = grad[b]
                for j in range(row.size):
                    row[j] = 0


@inlined
def _add(t: Any, grad: Any, to: Any) -> None:
    """Add what the states of step t are asked for from outside."""
    for b in range(to.shape[0]):
        more, row = grad[t, b], to[b]
        for j in range(row.size):
            row[j] += more[j]


@compiled
def rnn_forward(t: Any, states: Any, reset: Any, read: Any, relu: Any) -> None:
    """Step t: `states` (T, B, H) hold its sums, which become its states."""
    for b in range(read.shape[0]):
        h = states[t, b]
        if relu:
            for j in range(h.size):
                h[j] = 0 if h[j] < 0 else h[j]  # NaN stays NaN
        else:
            for j in range(h.size):
                h[j] = _tanh(h[j])
    _pass_on(t, states, reset, read)


@compiled
def rnn_backward(
    t: Any, grad: Any, states: Any, reset: Any, relu: Any, deltas: Any, d_h: Any
) -> None:
    """The gradient of step t's sums into `deltas` (T, B, H).

    `d_h` (B, H) brings the gradient of its state from step t + 1.
    """
    one = d_h.dtype.type(1)
    _stop(t, reset, d_h)
    for b in range(d_h.shape[0]):
        to, g, h, back = deltas[t, b], grad[t, b], states[t, b], d_h[b]
        if relu:
            for j in range(h.size):
                to[j] = g[j] + back[j] if h[j] > 0 else 0
        else:
            for j in range(h.size):
                to[j] = (g[j] + back[j]) * (one - h[j] * h[j])


@compiled
def lstm_forward(t: Any, slots: Any, reset: Any, read: Any, read_c: Any, hs: Any, cs: Any) -> None:
    """Step t: `slots` (T, B, 4H) hold its sums for g, i, f, o, which become the gates.

    `read_c` (B, H) is for the cells what `read` is for the states.
    """
    size = read.shape[1]
    for b in range(read.shape[0]):
        g, ifo = slots[t, b, :size], slots[t, b, size:]
        for j in range(size):
            g[j] = _tanh(g[j])
        for j in range(3 * size):
            ifo[j] = _sigmoid(ifo[j])
    for b in range(read.shape[0]):
        g, i = slots[t, b, :size], slots[t, b, size : 2 * size]
        f, o = slots[t, b, 2 * size : 3 * size], slots[t, b, 3 * size :]
        before, h, c = read_c[b], hs[t, b], cs[t, b]
        for j in range(size):
            c[j] = f[j] * before[j] + i[j] * g[j]
        for j in range(size):
            h[j] = o[j] * _tanh(c[j])
    _pass_on(t, hs, reset, read)
    _pass_on(t, cs, reset, read_c)


@compiled
def lstm_backward(
    t: Any,
    grad_h: Any,
    grad_c: Any,
    slots: Any,
    past_c: Any,
    cs: Any,
    reset: Any,
    deltas: Any,
    d_h: Any,
    d_c: Any,
) -> None:
    """The gradients of step t's sums into `deltas` (T, B, 4H).

    `d_h` and `d_c` (B, H) bring the gradients of its states from step t + 1; `d_c` takes that of
    the cell before on. `past_c` (T, B, H) is what each step read of the cells; `grad_c` is
    (T, B, H), or of size 0 for none.
    """
    size = d_h.shape[1]
    one = d_h.dtype.type(1)
    _stop(t, reset, d_h)
    _stop(t, reset, d_c)
    _add(t, grad_h, d_h)
    if grad_c.size:
        _add(t, grad_c, d_c)
    for b in range(d_h.shape[0]):
        c, dh, dc = cs[t, b], d_h[b], d_c[b]
        o, for_o = slots[t, b, 3 * size :], deltas[t, b, 3 * size :]
        for j in range(size):
            shown = _tanh(c[j])
            for_o[j] = dh[j] * shown * o[j] * (one - o[j])
            dc[j] += dh[j] * o[j] * (one - shown * shown)
    for b in range(d_h.shape[0]):
        g, i, dc = slots[t, b, :size], slots[t, b, size : 2 * size], d_c[b]
        for_g, for_i = deltas[t, b, :size], deltas[t, b, size : 2 * size]
        for j in range(size):
            for_g[j] = dc[j] * i[j] * (one - g[j] * g[j])
            for_i[j] = dc[j] * g[j] * i[j] * (one - i[j])
    for b in range(d_h.shape[0]):
        f, for_f = slots[t, b, 2 * size : 3 * size], deltas[t, b, 2 * size : 3 * size]
        before, dc = past_c[t, b], d_c[b]
        for j in range(size):
            for_f[j] = dc[j] * before[j] * f[j] * (one - f[j])
            dc[j] *= f[j]


@compiled
def gru_forward(t: Any, slots: Any, reset: Any, read: Any, states: Any) -> None:
    """Step t: `slots` (T, B, 4H) hold what makes n, r, z, and u; see `gru`."""
    size, one = read.shape[1], read.dtype.type(1)  # exact where z is 0 or 1
    for b in range(read.shape[0]):
        n, r = slots[t, b, :size], slots[t, b, size : 2 * size]
        z, u = slots[t, b, 2 * size : 3 * size], slots[t, b, 3 * size :]
        past, h = read[b], states[t, b]
        for j in range(size):
            r[j], z[j] = _sigmoid(r[j]), _sigmoid(z[j])
            n[j] = _tanh(n[j] + r[j] * u[j])
            h[j] = (one - z[j]) * n[j] + z[j] * past[j]
    _pass_on(t, states, reset, read)


@compiled
def gru_backward(
    t: Any, grad: Any, slots: Any, past: Any, reset: Any, deltas: Any, d_h: Any
) -> None:
    """The gradients of step t's sums into `deltas` (T, B, 4H).

    `d_h` (B, H) brings the gradient of its state from step t + 1, and takes on what goes to the
    state before by z. `past` (T, B, H) is what each step read.
    """
    size = d_h.shape[1]
    one = d_h.dtype.type(1)
    _stop(t, reset, d_h)
    for b in range(d_h.shape[0]):
        n, r = slots[t, b, :size], slots[t, b, size : 2 * size]
        z, u = slots[t, b, 2 * size : 3 * size], slots[t, b, 3 * size :]
        for_n, for_r = deltas[t, b, :size], deltas[t, b, size : 2 * size]
        for_z, for_u = deltas[t, b, 2 * size : 3 * size], deltas[t, b, 3 * size :]
        g, h, back = grad[t, b], past[t, b], d_h[b]
        for j in range(size):
            d = g[j] + back[j]
            dn = d * (one - z[j]) * (one - n[j] * n[j])
            for_n[j] = dn
            for_r[j] = dn * u[j] * r[j] * (one - r[j])
            for_z[j] = d * (h[j] - n[j]) * z[j] * (one - z[j])
            for_u[j] = dn * r[j]
            back[j] = d * z[j]


@compiled
def before_gates(t: Any, slots: Any, read: Any, gated: Any) -> None:
    """Step t of the GRU that resets before, to its second product: `slots` (T, B, 3H) hold r, z, n.

    `gated` (B, H) becomes r * h.
    """
    size = read.shape[1]
    for b in range(read.shape[0]):
        r, z, h, to = slots[t, b, :size], slots[t, b, size : 2 * size], read[b], gated[b]
        for j in range(size):
            r[j], z[j] = _sigmoid(r[j]), _sigmoid(z[j])
            to[j] = r[j] * h[j]


@compiled
def before_state(t: Any, slots: Any, reset: Any, read: Any, states: Any) -> None:
    """Step t from its second product on."""
    size, one = read.shape[1], read.dtype.type(1)  # exact where z is 0 or 1
    for b in range(read.shape[0]):
        z, n = slots[t, b, size : 2 * size], slots[t, b, 2 * size :]
        past, h = read[b], states[t, b]
        for j in range(size):
            n[j] = _tanh(n[j])
            h[j] = (one - z[j]) * n[j] + z[j] * past[j]
    _pass_on(t, states, reset, read)


@compiled
def before_state_backward(
    t: Any, grad: Any, slots: Any, past: Any, reset: Any, deltas: Any, d_h: Any
) -> None:
    """The gradients of step t's sums for z and n; `d_h` becomes that of its state as a whole."""
    size = d_h.shape[1]
    one = d_h.dtype.type(1)
    _stop(t, reset, d_h)
    for b in range(d_h.shape[0]):
        z, n = slots[t, b, size : 2 * size], slots[t, b, 2 * size :]
        for_z, for_n = deltas[t, b, size : 2 * size], deltas[t, b, 2 * size :]
        g, h, back = grad[t, b], past[t, b], d_h[b]
        for j in range(size):
            d = g[j] + back[j]
            for_z[j] = d * (h[j] - n[j]) * z[j] * (one - z[j])
            for_n[j] = d * (one - z[j]) * (one - n[j] * n[j])
            back[j] = d


@compiled
def before_gates_backward(
    t: Any, d_gated: Any, slots: Any, past: Any, deltas: Any, d_h: Any
) -> None:
    """The gradient of step t's sum for r, from that of r * h; `d_h` takes on what goes past it."""
    size = d_h.shape[1]
    one = d_h.dtype.type(1)
    for b in range(d_h.shape[0]):
        r, z, for_r = slots[t, b, :size], slots[t, b, size : 2 * size], deltas[t, b, :size]
        g, h, back = d_gated[b], past[t, b], d_h[b]
        for j in range(size):
            for_r[j] = g[j] * h[j] * r[j] * (one - r[j])
            back[j] = back[j] * z[j] + g[j] * r[j]


@compiled
def gru_step(from_x: Any, from_h: Any, past: Any, y: Any, new: Any) -> None:
    """One step alone: the sums of x and of h (B, 3H) for r, z, n, to the state, which y repeats."""
    size, one = past.shape[1], past.dtype.type(1)  # exact where z is 0 or 1
    for b in range(past.shape[0]):
        rz, more = from_x[b, : 2 * size], from_h[b, : 2 * size]
        for j in range(2 * size):
            rz[j] = _sigmoid(rz[j] + more[j])
    for b in range(past.shape[0]):
        r, n, u = from_x[b, :size], from_x[b, 2 * size :], from_h[b, 2 * size :]
        for j in range(size):
            n[j] = _tanh(n[j] + r[j] * u[j])
    for b in range(past.shape[0]):
        z, n, h = from_x[b, size : 2 * size], from_x[b, 2 * size :], past[b]
        shown, kept = y[b], new[b]
        for j in range(size):
            kept[j] = (one - z[j]) * n[j] + z[j] * h[j]
        for j in range(size):
            shown[j] = kept[j]


@compiled
def lstm_step(from_x: Any, from_h: Any, past_c: Any, y: Any, h: Any, c: Any) -> None:
    """One step alone: the sums of x and of h (B, 4H) for i, f, g, o, to h and c; y repeats h."""
    size = past_c.shape[1]
    for b in range(past_c.shape[0]):
        _gate(from_x[b], from_h[b], size)
    for b in range(past_c.shape[0]):
        i, f, g = from_x[b, :size], from_x[b, size : 2 * size], from_x[b, 2 * size : 3 * size]
        before, now = past_c[b], c[b]
        for j in range(size):
            now[j] = f[j] * before[j] + i[j] * g[j]
    for b in range(past_c.shape[0]):
        o, now, shown, kept = from_x[b, 3 * size :], c[b], y[b], h[b]
        for j in range(size):
            kept[j] = o[j] * _tanh(now[j])
        for j in range(size):
            shown[j] = kept[j]


@inlined
def _gate(sums: Any, more: Any, size: Any) -> None:
    """Sums of a row for i, f, g, o, in two parts, to the gates."""
    i_f, g, o = sums[: 2 * size], sums[2 * size : 3 * size], sums[3 * size :]
    for j in range(4 * size):
        sums[j] += more[j]
    for j in range(2 * size):
        i_f[j] = _sigmoid(i_f[j])
    for j in range(size):
        g[j] = _tanh(g[j])
    for j in range(size):
        o[j] = _sigmoid(o[j])
