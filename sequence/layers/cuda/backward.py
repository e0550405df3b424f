"""The recurrence backward in time: one skeleton for every cell and plan, as in `forward`.

Pass i takes the gradient from the sums of step t + 1 = T - i to the state after step t, and goes on
to the sums of t. A program alone with its rows makes the product as soon as it has the sums, in
passes 0..T - 1; where others must have theirs first a pass begins with it, and pass T has no step
of its own.
"""

import triton
import triton.language as tl

from .common import (
    EARLY_SIZE,
    dot,
    leave,
    load_gates,
    load_state,
    load_weights,
    stacked,
    store_gates,
    wait_for_all,
)
from .pointwise import retreat


@triton.jit
def sum_products(deltas, weights, total, GATES: tl.constexpr, PRECISION: tl.constexpr):
    """Total (BB, HS) plus every gate's product d W, d (BB, K)."""
    d_0, d_1, d_2, d_3 = deltas
    w_0, w_1, w_2, w_3 = weights
    total = dot(d_0, w_0, total, PRECISION)
    if GATES > 1:
        total = dot(d_1, w_1, total, PRECISION)
        total = dot(d_2, w_2, total, PRECISION)
    if GATES > 3:
        total = dot(d_3, w_3, total, PRECISION)
    return total


@triton.jit
def load_deltas(at, mask, H: tl.constexpr, GATES: tl.constexpr):
    """The gradients (BB, K) of GATES sums, past the L1 cache, in their own dtype."""
    a = tl.load(at, mask=mask, other=0, cache_modifier=".cg")
    b, c, d = a, a, a
    if GATES > 1:
        b = tl.load(at + H, mask=mask, other=0, cache_modifier=".cg")
        c = tl.load(at + 2 * H, mask=mask, other=0, cache_modifier=".cg")
    if GATES > 3:
        d = tl.load(at + 3 * H, mask=mask, other=0, cache_modifier=".cg")
    return a, b, c, d


@triton.jit
def load_step(grad, slots, states, cells, first, first_c, t, top, wide, off_h, off_s, has_step,
              stays, units, H: tl.constexpr, SLOTS: tl.constexpr):  # fmt: skip
    """What step t left, zeros where there is none.

    Returns:
        The slots; h and c as the step read them, cleared where an episode began; c (or what stands
        for it) after the step; the gradient from above.
    """
    row = t * wide + top
    own = has_step[:, None] & (units < H)[None, :]
    old = own & stays[:, None]
    gates = load_gates(slots + row * (SLOTS * H) + off_s, own, H, SLOTS)
    h = load_state(first, states, t, top, wide, off_h, old, H).to(tl.float32)
    c, after = h, h
    if cells is not None:
        c = load_state(first_c, cells, t, top, wide, off_h, old, H).to(tl.float32)
        after = tl.load(cells + row * H + off_h, mask=own, other=0).to(tl.float32)
    from_y = tl.zeros_like(h)
    if grad is not None:
        from_y = tl.load(grad + row * H + off_h, mask=own, other=0).to(tl.float32)
    return gates, h, c, after, from_y


@triton.jit(do_not_specialize=["begin", "end", "T", "B"])
def backward(  # noqa: C901  (its branches are constants of a kernel)
            grad, grad_c, slots, states, cells, first, first_c, w, reset, deltas, read, d_h, d_c,
             counters, begin, end, T, B, CELL: tl.constexpr, GATES: tl.constexpr,
             SLOTS: tl.constexpr, H: tl.constexpr, BB: tl.constexpr, HS: tl.constexpr,
             BK: tl.constexpr, RESIDENT: tl.constexpr, STACKED: tl.constexpr, KIND: tl.constexpr,
             PRECISION: tl.constexpr, LOOKS: tl.constexpr):  # fmt: skip
    """Passes begin..end of 0..T.

    Args:
        grad: (T, B, H) of the states, or None.
        grad_c: (T, B, H) of the cells, or None.
        slots: (T, B, SLOTS * H) that `forward` left; for the RNN its states.
        states: (T, B, H).
        cells: (T, B, H), or None but for the LSTM.
        first: (B, H) the state before all.
        first_c: as `first`, of the cells, or None.
        w: (GATES * H, H), torch's W_hh.
        reset: (T, B) boolean, or None.
        deltas: (T, B, SLOTS * H), written: the gradients of the sums; the GRU's are u, r, z, n, so
            that those of x and those of h are neighbours.
        read: (T, B, H), written: the state that each step read, cleared where an episode begins.
        d_h: (B, H), written: the gradient of `first`; carries what is kept from launch to launch.
        d_c: as `d_h`, of `first_c`, or None.
        counters: two zeros for each row tile (int32), zeros again afterwards; None without barrier.
        begin: the first pass.
        end: past the last.
        T: steps.
        B: rows of the batch.
        CELL: of `pointwise.retreat`.
        GATES: products with h.
        SLOTS: what is saved of a step.
        H: units.
        BB: rows of a program.
        HS: units of a program.
        BK: units that a product takes at a time; all in one where `RESIDENT`.
        RESIDENT: W is loaded once, not in every step.
        STACKED: the products of all gates are one, a warp to a gate; not for `tile`.
        KIND: of the plan: who else has units of the same rows, and how they meet.
        PRECISION: of float32 products.
        LOOKS: at the barrier's counter, at most.
    """
    local = tl.arange(0, BB)
    units = tl.program_id(1) * HS + tl.arange(0, HS)
    ks = tl.arange(0, BK)
    wide = B.to(tl.int64)
    top = tl.program_id(0).to(tl.int64) * BB  # a step's base takes 64 bits, the rest 32
    alive = top + local < B  # (BB,)
    mine = alive[:, None] & (units < H)[None, :]  # (BB, HS)
    off_h = local[:, None] * H + units[None, :]
    off_s = local[:, None] * (SLOTS * H) + units[None, :]
    off_k = local[:, None] * (SLOTS * H) + ks[None, :]
    off_w = ks[:, None] * H + units[None, :]  # (BK, HS) of W
    ALONE: tl.constexpr = KIND == "tile"
    SYNC: tl.constexpr = KIND == "split"
    EARLY: tl.constexpr = ALONE or BB * HS <= EARLY_SIZE  # see there
    WHOLE: tl.constexpr = H % HS == 0 and H % BK == 0
    FIRST: tl.constexpr = 2 if CELL == "gru" else 0  # its u, which U_n made, comes first
    w_mask = (ks < H)[:, None] & (units < H)[None, :]
    if RESIDENT:
        if STACKED:
            weights = stacked(w, off_w, w_mask, H * H, GATES, FIRST)
        else:
            weights = load_weights(w + off_w, w_mask, H, GATES, FIRST, WHOLE)
    crosses = top + local < tl.where(begin > 0, wide, 0)  # rows whose gradient enters the pass
    held = crosses[:, None] & (units < H)[None, :]
    carry = tl.load(d_h + top * H + off_h, mask=held, other=0).to(tl.float32)
    carry_c = tl.zeros((BB, HS), tl.float32)
    if cells is not None:
        carry_c = tl.load(d_c + top * H + off_h, mask=held, other=0).to(tl.float32)
    if reset is not None:
        begun = tl.load(reset + (T - begin) * wide + top + local, mask=crosses, other=1) != 0
        crosses = crosses & (begun == 0)
    doubt = 0.0
    counter = counters
    if SYNC:
        counter = counters + 2 * tl.program_id(0)
    for i in range(begin, end):
        t = T - 1 - i
        row = t * wide + top
        has_step = top + local < tl.where(t >= 0, wide, 0)
        own = has_step[:, None] & (units < H)[None, :]
        stays = alive
        if reset is not None:
            begun = tl.load(reset + row + local, mask=has_step, other=0) != 0
            stays = alive & (begun == 0)
        if EARLY:
            found = load_step(
                grad, slots, states, cells, first, first_c, t, top, wide, off_h, off_s,
                has_step, stays, units, H, SLOTS,
            )  # fmt: skip
        if STACKED:
            at = deltas + (row + wide) * (SLOTS * H)
            total = tl.zeros((4, BB, HS), tl.float32)
            for k in range(0, H, BK):
                more = k + ks < H
                pieces = stacked(at + k, off_k, crosses[:, None] & more[None, :], H, GATES, 0)
                if not RESIDENT:
                    mask = more[:, None] & (units < H)[None, :]
                    weights = stacked(w + k * H, off_w, mask, H * H, GATES, FIRST)
                total = dot(pieces, weights, total, PRECISION)
            carry += tl.sum(total, axis=0)
        elif not ALONE:
            at = deltas + (row + wide) * (SLOTS * H) + off_k
            for k in range(0, H, BK):
                more = k + ks < H
                pieces = load_deltas(at + k, crosses[:, None] & more[None, :], H, GATES)
                if not RESIDENT:
                    mask = more[:, None] & (units < H)[None, :]
                    weights = load_weights(w + off_w + k * H, mask, H, GATES, FIRST, WHOLE)
                carry = sum_products(pieces, weights, carry, GATES, PRECISION)
        if SYNC:
            carry += doubt
        if not EARLY:
            found = load_step(
                grad, slots, states, cells, first, first_c, t, top, wide, off_h, off_s,
                has_step, stays, units, H, SLOTS,
            )  # fmt: skip
        gates, h, c, after, from_y = found
        tl.store(read + row * H + off_h, h.to(read.dtype.element_ty), mask=own)
        if grad_c is not None:
            carry_c += tl.load(grad_c + row * H + off_h, mask=own, other=0).to(tl.float32)
        d_0, d_1, d_2, d_3, keep, keep_c = retreat(
            CELL, carry + from_y, carry_c, gates, h, c, after
        )
        store_gates(deltas + row * (SLOTS * H) + off_s, d_0, d_1, d_2, d_3, own, H, SLOTS)
        if ALONE:
            if not RESIDENT:
                weights = load_weights(w + off_w, w_mask, H, GATES, FIRST, WHOLE)
            keep = sum_products((d_0, d_1, d_2, d_3), weights, keep, GATES, PRECISION)
        if reset is not None:
            keep = tl.where(begun[:, None], 0.0, keep)
            keep_c = tl.where(begun[:, None], 0.0, keep_c)
        carry = tl.where(t >= 0, keep, carry)
        carry_c = tl.where(t >= 0, keep_c, carry_c)
        crosses = stays
        if SYNC:
            target = (i + 1 - begin) * tl.num_programs(1)
            doubt = wait_for_all(counter, target, LOOKS)
    if SYNC:
        leave(counter, counter + 1, tl.num_programs(1))
    tl.store(d_h + top * H + off_h, carry.to(d_h.dtype.element_ty), mask=mine)
    if cells is not None:
        tl.store(d_c + top * H + off_h, carry_c.to(d_c.dtype.element_ty), mask=mine)
