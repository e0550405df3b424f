"""The GRU that resets before the product, forward and backward in time.

As `forward` and `backward`, but a step has two products one after the other, so programs that share
a row tile meet twice a step. There is no `step` plan: the loop takes its place.
"""

import triton
import triton.language as tl

from .common import dot, leave, load_gates, load_state, load_weight, store_gates, wait_for_all
from .pointwise import sigmoid, tanh


@triton.jit
def times(a, w, offsets, mask, total, PRECISION: tl.constexpr, WHOLE: tl.constexpr):
    """Total + a W, a piece of W from memory."""
    return dot(a, load_weight(w + offsets, mask, WHOLE), total, PRECISION)


@triton.jit(do_not_specialize=["T", "B"])
def forward_before(
            slots, states, first, w, reset, gated, counters, T, B, H: tl.constexpr,
            BB: tl.constexpr, HS: tl.constexpr, BK: tl.constexpr, KIND: tl.constexpr,
            PRECISION: tl.constexpr, LOOKS: tl.constexpr):  # fmt: skip
    """All steps.

    Args:
        slots: (T, B, 3H), in which the sums of x stand; r, z and n afterwards.
        states: (T, B, H), written.
        first: (B, H) the state before all.
        w: (3H, H), torch's W_hh.
        reset: (T, B) boolean, or None.
        gated: (B, H) where programs find each other's r * h; None where each is alone.
        counters: as of `forward`.
        T: steps.
        B: rows of the batch.
        H: units.
        BB: rows of a program.
        HS: units of a program.
        BK: units that a product takes at a time.
        KIND: of the plan, `tile` or `split`.
        PRECISION: of float32 products.
        LOOKS: at the barrier's counter, at most.
    """
    local = tl.arange(0, BB)
    units = tl.program_id(1) * HS + tl.arange(0, HS)
    ks = tl.arange(0, BK)
    wide = B.to(tl.int64)
    top = tl.program_id(0).to(tl.int64) * BB
    alive = top + local < B
    mine = alive[:, None] & (units < H)[None, :]
    off_h = local[:, None] * H + units[None, :]
    off_s = local[:, None] * (3 * H) + units[None, :]
    off_k = local[:, None] * H + ks[None, :]
    off_w = units[None, :] * H + ks[:, None]  # (BK, HS) of W^T
    ALONE: tl.constexpr = KIND == "tile"
    WHOLE: tl.constexpr = H % HS == 0 and H % BK == 0
    w_mask = (units < H)[None, :] & (ks < H)[:, None]
    w_r, w_z, w_n = w, w + H * H, w + 2 * H * H
    nothing = tl.zeros((BB, HS), tl.float32)
    h = tl.load(first + top * H + off_h, mask=mine, other=0).to(tl.float32)
    doubt = 0.0
    counter = counters
    if not ALONE:
        counter = counters + 2 * tl.program_id(0)
    for t in range(T):
        row = t * wide + top
        x_r, x_z, x_n, _ = load_gates(slots + row * (3 * H) + off_s, mine, H, 3)
        reads = alive
        if reset is not None:
            cleared = tl.load(reset + row + local, mask=alive, other=0) != 0
            reads = alive & (cleared == 0)
            h = tl.where(cleared[:, None], 0.0, h)
        a_r, a_z, a_n = nothing, nothing, nothing
        if ALONE:
            a_r = times(h, w_r, off_w, w_mask, a_r, PRECISION, WHOLE)
            a_z = times(h, w_z, off_w, w_mask, a_z, PRECISION, WHOLE)
        else:
            for k in range(0, H, BK):
                more = k + ks < H
                seen = reads[:, None] & more[None, :]
                h_k = load_state(first, states, t, top, wide, off_k + k, seen, H)
                mask = (units < H)[None, :] & more[:, None]
                a_r = times(h_k, w_r + k, off_w, mask, a_r, PRECISION, WHOLE)
                a_z = times(h_k, w_z + k, off_w, mask, a_z, PRECISION, WHOLE)
        r, z = sigmoid(x_r + a_r), sigmoid(x_z + a_z)
        if ALONE:
            a_n = times(r * h, w_n, off_w, w_mask, a_n, PRECISION, WHOLE)
        else:
            tl.store(gated + top * H + off_h, (r * h).to(gated.dtype.element_ty), mask=mine)
            doubt += wait_for_all(counter, (2 * t + 1) * tl.num_programs(1), LOOKS)
            for k in range(0, H, BK):
                more = k + ks < H
                at = gated + top * H + off_k + k
                seen = alive[:, None] & more[None, :]
                g_k = tl.load(at, mask=seen, other=0, cache_modifier=".cg")
                mask = (units < H)[None, :] & more[:, None]
                a_n = times(g_k, w_n + k, off_w, mask, a_n, PRECISION, WHOLE)
        n = tanh(x_n + a_n)
        rounded = (n + z * (h - n) + doubt).to(states.dtype.element_ty)
        h = rounded.to(tl.float32)
        tl.store(states + row * H + off_h, rounded, mask=mine)
        store_gates(slots + row * (3 * H) + off_s, r, z, n, n, mine, H, 3)
        if not ALONE:
            doubt += wait_for_all(counter, (2 * t + 2) * tl.num_programs(1), LOOKS)
    if not ALONE:
        leave(counter, counter + 1, tl.num_programs(1))


@triton.jit(do_not_specialize=["T", "B"])
def backward_before(
            grad, slots, states, first, w, reset, deltas, read, gated, d_h, counters, T, B,
            H: tl.constexpr, BB: tl.constexpr, HS: tl.constexpr, BK: tl.constexpr,
            KIND: tl.constexpr, PRECISION: tl.constexpr, LOOKS: tl.constexpr):  # fmt: skip
    """All steps, from the last to the first.

    Args:
        grad: (T, B, H) of the states.
        slots: (T, B, 3H), r, z and n.
        states: (T, B, H).
        first: (B, H) the state before all.
        w: (3H, H), torch's W_hh.
        reset: (T, B) boolean, or None.
        deltas: (T, B, 3H), written: the gradients of the sums, in torch's order.
        read: (T, B, H), written: the state that each step read, cleared where an episode begins.
        gated: (T, B, H), written: r times that.
        d_h: (B, H), written: the gradient of `first`.
        counters: as of `forward`.
        T: steps.
        B: rows of the batch.
        H: units.
        BB: rows of a program.
        HS: units of a program.
        BK: units that a product takes at a time.
        KIND: of the plan, `tile` or `split`.
        PRECISION: of float32 products.
        LOOKS: at the barrier's counter, at most.
    """
    local = tl.arange(0, BB)
    units = tl.program_id(1) * HS + tl.arange(0, HS)
    ks = tl.arange(0, BK)
    wide = B.to(tl.int64)
    top = tl.program_id(0).to(tl.int64) * BB
    alive = top + local < B
    mine = alive[:, None] & (units < H)[None, :]
    off_h = local[:, None] * H + units[None, :]
    off_s = local[:, None] * (3 * H) + units[None, :]
    off_k = local[:, None] * (3 * H) + ks[None, :]
    off_w = ks[:, None] * H + units[None, :]  # (BK, HS) of W
    ALONE: tl.constexpr = KIND == "tile"
    WHOLE: tl.constexpr = H % HS == 0 and H % BK == 0
    w_mask = (ks < H)[:, None] & (units < H)[None, :]
    w_r, w_z, w_n = w, w + H * H, w + 2 * H * H
    carry = tl.zeros((BB, HS), tl.float32)
    doubt = 0.0
    counter = counters
    if not ALONE:
        counter = counters + 2 * tl.program_id(0)
    for i in range(T):
        t = T - 1 - i
        row = t * wide + top
        there = deltas + row * (3 * H)
        to = deltas.dtype.element_ty
        stays = alive
        if reset is not None:
            begun = tl.load(reset + row + local, mask=alive, other=0) != 0
            stays = alive & (begun == 0)
        old = mine & stays[:, None]
        r, z, n, _ = load_gates(slots + row * (3 * H) + off_s, mine, H, 3)
        h = load_state(first, states, t, top, wide, off_h, old, H).to(tl.float32)
        d = carry + doubt + tl.load(grad + row * H + off_h, mask=mine, other=0).to(tl.float32)
        tl.store(read + row * H + off_h, h.to(read.dtype.element_ty), mask=mine)
        tl.store(gated + row * H + off_h, (r * h).to(gated.dtype.element_ty), mask=mine)
        d_n = d * (1 - z) * (1 - n * n)
        d_z = d * (h - n) * z * (1 - z)
        tl.store(there + off_s + H, d_z.to(to), mask=mine)
        tl.store(there + off_s + 2 * H, d_n.to(to), mask=mine)
        of_gated = tl.zeros((BB, HS), tl.float32)
        if ALONE:
            of_gated = times(d_n, w_n, off_w, w_mask, of_gated, PRECISION, WHOLE)
        else:
            doubt += wait_for_all(counter, (2 * i + 1) * tl.num_programs(1), LOOKS)
            for k in range(0, H, BK):
                more = k + ks < H
                at = there + 2 * H + off_k + k
                piece = tl.load(
                    at, mask=alive[:, None] & more[None, :], other=0, cache_modifier=".cg"
                )
                mask = more[:, None] & (units < H)[None, :]
                of_gated = times(piece, w_n + k * H, off_w, mask, of_gated, PRECISION, WHOLE)
        d_r = of_gated * h * r * (1 - r)
        tl.store(there + off_s, d_r.to(to), mask=mine)
        carry = d * z + of_gated * r
        if ALONE:
            carry = times(d_r, w_r, off_w, w_mask, carry, PRECISION, WHOLE)
            carry = times(d_z, w_z, off_w, w_mask, carry, PRECISION, WHOLE)
        else:
            doubt += wait_for_all(counter, (2 * i + 2) * tl.num_programs(1), LOOKS)
            for k in range(0, H, BK):
                more = k + ks < H
                seen = alive[:, None] & more[None, :]
                mask = more[:, None] & (units < H)[None, :]
                for_r = tl.load(there + off_k + k, mask=seen, other=0, cache_modifier=".cg")
                carry = times(for_r, w_r + k * H, off_w, mask, carry, PRECISION, WHOLE)
                for_z = tl.load(there + H + off_k + k, mask=seen, other=0, cache_modifier=".cg")
                carry = times(for_z, w_z + k * H, off_w, mask, carry, PRECISION, WHOLE)
        carry = tl.where(stays[:, None], carry, 0.0)
    if not ALONE:
        leave(counter, counter + 1, tl.num_programs(1))
    tl.store(d_h + top * H + off_h, (carry + doubt).to(d_h.dtype.element_ty), mask=mine)
