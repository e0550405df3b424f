"""A dense network, forward and backward, and Deep SARSA's loss on it, in compiled code.

At 80 rows of 64 units a forward and backward pass are some sixty operations for torch, nearly all
of whose time goes by before they begin. Here an update is one call. Kernels are compiled when they
are first called and lie in numba's cache from then on; all that they call stands in this file, at
whose date that cache looks.

Axis letters: N rows, D features, H hidden units, A actions, T ticks, B lanes, P parameters. Every
array is contiguous. `flat` (P,) holds the parameters in the order of `Network.parameters()`: weight
(H, D) and bias (H,) of each linear layer, then those of each layer normalisation, then the head's.
`sizes` are D, each H, and the head's width. `work` holds what the way back reads: of each layer
the standardised sums (N, H), what it gives on (N, H), and 1 / deviation (N,).
"""

from typing import Any

import numba
import numpy as np

from sidestep.sequence.layers.cached import compiled_with

f32 = np.float32
EPSILON = f32(1e-5)
"""Under the root of a layer normalisation, as torch has it."""
BROAD = 16
"""Columns from which on a product goes by rows of the transposed weights, which are vectors."""
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}
"""Products and sums may be joined, sums reordered, and a division by 0 is as numpy's."""
compiled = compiled_with(OPTIONS)


def part(function: Any) -> Any:
    """A part of kernels."""
    return numba.njit(**OPTIONS)(function)


@part
def add_product(x: Any, w: Any, y: Any) -> None:
    """Y (N, M) += x (N, K) w (K, M): eight rows of w at a time, so that y is seldom stored."""
    rows, inner = x.shape
    columns = w.shape[1]
    for n in range(rows):
        k = 0
        while k + 8 <= inner:
            a, b, c, d = x[n, k], x[n, k + 1], x[n, k + 2], x[n, k + 3]
            e, f, g, h = x[n, k + 4], x[n, k + 5], x[n, k + 6], x[n, k + 7]
            for j in range(columns):
                near = a * w[k, j] + b * w[k + 1, j] + c * w[k + 2, j] + d * w[k + 3, j]
                far = e * w[k + 4, j] + f * w[k + 5, j] + g * w[k + 6, j] + h * w[k + 7, j]
                y[n, j] += near + far
            k += 8
        while k < inner:
            a = x[n, k]
            for j in range(columns):
                y[n, j] += a * w[k, j]
            k += 1


@part
def linear(x: Any, weight: Any, bias: Any, y: Any) -> None:
    """Y (N, M) = x (N, K) weight (M, K)^T + bias."""
    rows, inner = x.shape
    columns = len(bias)
    if columns < BROAD:
        for n in range(rows):
            for j in range(columns):
                total = f32(0.0)
                for k in range(inner):
                    total += x[n, k] * weight[j, k]
                y[n, j] = total + bias[j]
        return
    across = weight.T.copy()
    for n in range(rows):
        for j in range(columns):
            y[n, j] = bias[j]
    add_product(x, across, y)


@part
def linear_backward(x: Any, d_y: Any, d_weight: Any, d_bias: Any) -> None:
    """Set the gradients of a linear layer's weight (M, K) and bias (M,)."""
    rows, columns = d_y.shape
    d_weight[:] = f32(0.0)
    add_product(d_y.T.copy(), x, d_weight)
    d_bias[:] = f32(0.0)
    for n in range(rows):
        for j in range(columns):
            d_bias[j] += d_y[n, j]


@part
def normalise(z: Any, gain: Any, shift: Any, y: Any, inverse: Any) -> None:
    """Standardise the rows of z in place; y = relu(gain z + shift); `inverse` 1 / deviation."""
    rows, width = z.shape
    share = f32(1.0) / f32(width)
    for n in range(rows):
        total, square = f32(0.0), f32(0.0)
        for j in range(width):
            total += z[n, j]
        mean = total * share
        for j in range(width):
            z[n, j] -= mean
            square += z[n, j] * z[n, j]
        scale = f32(1.0) / np.sqrt(square * share + EPSILON)
        inverse[n] = scale
        for j in range(width):
            z[n, j] *= scale
            value = z[n, j] * gain[j] + shift[j]
            y[n, j] = f32(0.0) if value < f32(0.0) else value  # so written, NaN stays NaN


@part
def normalise_backward(
    z: Any, y: Any, inverse: Any, gain: Any, d_y: Any, d_gain: Any, d_shift: Any
) -> None:
    """Turn the gradient of y into that of what was standardised, in place; set gain's, shift's."""
    rows, width = d_y.shape
    share = f32(1.0) / f32(width)
    d_gain[:] = f32(0.0)
    d_shift[:] = f32(0.0)
    for n in range(rows):
        for j in range(width):
            d_y[n, j] = f32(0.0) if y[n, j] <= f32(0.0) else d_y[n, j]
        for j in range(width):
            d_gain[j] += d_y[n, j] * z[n, j]
            d_shift[j] += d_y[n, j]
        total, along = f32(0.0), f32(0.0)
        for j in range(width):
            d_y[n, j] *= gain[j]
            total += d_y[n, j]
            along += d_y[n, j] * z[n, j]
        total, along, scale = total * share, along * share, inverse[n]
        for j in range(width):
            d_y[n, j] = scale * (d_y[n, j] - total - z[n, j] * along)


@part
def matrix(flat: Any, begin: int, rows: int, columns: int) -> Any:
    """The part (rows, columns) of a vector."""
    return flat[begin : begin + rows * columns].reshape(rows, columns)


@part
def places(sizes: Any) -> Any:
    """Where in `flat` each linear layer begins, then each normalisation, then the head."""
    layers = len(sizes) - 2
    begins = np.empty(2 * layers + 1, np.int64)
    at = 0
    for i in range(layers):
        begins[i] = at
        at += (sizes[i] + 1) * sizes[i + 1]
    for i in range(layers):
        begins[layers + i] = at
        at += 2 * sizes[i + 1]
    begins[2 * layers] = at
    return begins


@part
def kept(work: Any, sizes: Any, rows: int, layer: int) -> Any:
    """What `work` holds of a layer: standardised sums, what it gives on, 1 / deviation."""
    begin = 0
    for i in range(layer):
        begin += rows * (2 * sizes[i + 1] + 1)
    width = sizes[layer + 1]
    z = matrix(work, begin, rows, width)
    y = matrix(work, begin + rows * width, rows, width)
    begin += 2 * rows * width
    return z, y, work[begin : begin + rows]


@compiled
def forward(flat: Any, sizes: Any, x: Any, work: Any, output: Any) -> None:
    """The network's output (N, head's width) for x (N, D)."""
    rows, layers, begins = len(x), len(sizes) - 2, places(sizes)
    for i in range(layers):
        before, width, at = sizes[i], sizes[i + 1], begins[i]
        z, y, inverse = kept(work, sizes, rows, i)
        bias = at + width * before
        linear(x, matrix(flat, at, width, before), flat[bias : bias + width], z)
        at = begins[layers + i]
        normalise(z, flat[at : at + width], flat[at + width : at + 2 * width], y, inverse)
        x = y
    before, width, at = sizes[layers], sizes[layers + 1], begins[2 * layers]
    bias = at + width * before
    linear(x, matrix(flat, at, width, before), flat[bias : bias + width], output)


@compiled
def backward(flat: Any, sizes: Any, x: Any, rows: int, work: Any, d_output: Any, grad: Any) -> None:
    """Set the parameters' gradient (P,) to that of the output, which is not 0 in a few first rows.

    Args:
        flat: (P,) parameters.
        sizes: of the layers.
        x: (N, D) that `forward` was given.
        rows: N.
        work: as `forward` left it.
        d_output: (M, head's width), of the first M of the rows.
        grad: (P,) is written.
    """
    few, layers, begins = len(d_output), len(sizes) - 2, places(sizes)
    before, width, at = sizes[layers], sizes[layers + 1], begins[2 * layers]
    given = x
    if layers > 0:
        given = kept(work, sizes, rows, layers - 1)[1]
    bias = at + width * before
    d_bias = grad[bias : bias + width]
    linear_backward(given[:few], d_output, matrix(grad, at, width, before), d_bias)
    d_y, head = d_output, matrix(flat, at, width, before)
    for i in range(layers - 1, -1, -1):
        d_x = np.zeros((few, sizes[i + 1]), f32)
        add_product(d_y, head, d_x)
        z, y, inverse = kept(work, sizes, rows, i)
        before, width = sizes[i], sizes[i + 1]
        at = begins[layers + i]
        middle, end = at + width, at + 2 * width
        normalise_backward(
            z, y, inverse, flat[at:middle], d_x, grad[at:middle], grad[middle:end]
        )  # fmt: skip
        given = x
        if i > 0:
            given = kept(work, sizes, rows, i - 1)[1]
        at = begins[i]
        bias = at + width * before
        d_bias = grad[bias : bias + width]
        linear_backward(given[:few], d_x, matrix(grad, at, width, before), d_bias)
        d_y, head = d_x, matrix(flat, at, width, before)


@part
def expected(q: Any, mask: Any, at: int, epsilon: Any) -> Any:
    """The expectation of a row of action values under the epsilon-greedy policy."""
    most, total, count = np.finfo(np.float32).min, f32(0.0), 0
    for a in range(len(q)):
        if len(mask) == 0 or mask[at, a]:
            most = q[a] if not (q[a] <= most) else most  # so written, NaN is the most
            total += q[a]
            count += 1
    return (f32(1.0) - epsilon) * most + epsilon * (total / f32(max(count, 1)))


@compiled
def sarsa(
    flat: Any, sizes: Any, features: Any, lanes: Any, mask: Any, played: Any, final_value: Any,
    by: Any, epsilon: Any, work: Any, grad: Any,
) -> Any:  # fmt: skip
    """Deep SARSA's loss on some lanes of a rollout, and set its gradient (P,).

    Args:
        flat: (P,) parameters.
        sizes: of the layers.
        features: (T+1, B, D) that the network is given.
        lanes: (L,) of the B.
        mask: ((T+1) B, A) allowed actions; (0, 0): all.
        played: action (T+1, B), reward, terminated, truncated, valid (T, B).
        final_value: (T, B) of the last observation where truncated.
        by: discount, lambda, whether the target is an expectation, and the loss Huber's.
        epsilon: of the policy.
        work: for `forward`.
        grad: (P,) is written.

    Returns:
        The loss and the chosen values, summed over valid steps, and how many these are.
    """
    action, reward, terminated, truncated, valid = played
    discount, decay, is_expected, is_huber = by
    ticks, count, width = len(reward), len(lanes), sizes[-1]
    rows = (ticks + 1) * count
    x = np.empty((rows, features.shape[2]), f32)
    for t in range(ticks + 1):
        for i in range(count):
            x[t * count + i] = features[t, lanes[i]]
    q = np.empty((rows, width), f32)
    forward(flat, sizes, x, work, q)
    d_q = np.zeros((ticks * count, width), f32)
    loss, value, steps = 0.0, 0.0, 0
    for i in range(count):
        b, g = lanes[i], f32(0.0)
        for t in range(ticks - 1, -1, -1):
            then = (t + 1) * count + i
            if truncated[t, b]:
                follows = final_value[t, b]
            elif is_expected:
                follows = expected(q[then], mask, (t + 1) * features.shape[1] + b, epsilon)
            else:
                follows = q[then, action[t + 1, b]]
            ended = terminated[t, b] or truncated[t, b]
            future = f32(0.0) if terminated[t, b] else follows
            if ended or t == ticks - 1:
                g = future
            else:
                g = (f32(1.0) - decay) * future + decay * g
            g = reward[t, b] + discount * g
            if not valid[t, b]:
                continue
            row, a = t * count + i, action[t, b]
            off = q[row, a] - g
            size = abs(off)
            if is_huber and size >= f32(1.0):
                loss += size - f32(0.5)
                d_q[row, a] = f32(1.0) if off > f32(0.0) else f32(-1.0)
            else:
                loss += f32(0.5) * off * off
                d_q[row, a] = off
            value += q[row, a]
            steps += 1
    backward(flat, sizes, x, rows, work, d_q, grad)
    return loss, value, steps
