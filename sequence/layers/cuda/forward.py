"""The recurrence forward in time: one skeleton for every cell and plan.

A program owns BB rows and HS units. Where HS covers all of H it is alone with its rows: the state
stays in registers (the plan `tile`). Else the state goes through memory, and the programs of a row
tile meet at a barrier after each step (`split`) or end there (`step`, a launch a step).
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
    unstacked,
    wait_for_all,
)
from .pointwise import advance


@triton.jit
def add_products(h, weights, sums, GATES: tl.constexpr, PRECISION: tl.constexpr):
    """Each gate's sum (BB, HS) plus its product h W^T, h (BB, K)."""
    w_0, w_1, w_2, w_3 = weights
    a, b, c, d = sums
    a = dot(h, w_0, a, PRECISION)
    if GATES > 1:
        b = dot(h, w_1, b, PRECISION)
        c = dot(h, w_2, c, PRECISION)
    if GATES > 3:
        d = dot(h, w_3, d, PRECISION)
    return a, b, c, d


@triton.jit
def added(one, other):
    """Four sums and four sums."""
    a, b, c, d = one
    e, f, g, h = other
    return a + e, b + f, c + g, d + h


@triton.jit
def load_bias(bias, units, H: tl.constexpr, GATES: tl.constexpr):
    """A bias of four gates, (1, HS) each; zeros for None."""
    a = tl.zeros((1, units.shape[0]), tl.float32)
    b, c, d = a, a, a
    if bias is not None:
        a, b, c, d = load_gates((bias + units)[None, :], (units < H)[None, :], H, GATES)
    return a, b, c, d


@triton.jit(do_not_specialize=["begin", "end", "B"])
def forward(  # noqa: C901  (its branches are constants of a kernel)
            slots, states, cells, first, first_c, w, bias_x, bias, reset, counters, begin, end,
            B, CELL: tl.constexpr, GATES: tl.constexpr, SLOTS: tl.constexpr, H: tl.constexpr,
            BB: tl.constexpr, HS: tl.constexpr, BK: tl.constexpr, RESIDENT: tl.constexpr,
            STACKED: tl.constexpr, KIND: tl.constexpr, PRECISION: tl.constexpr,
            LOOKS: tl.constexpr):  # fmt: skip
    """Steps begin..end.

    Args:
        slots: (T, B, SLOTS * H), in its first GATES * H columns the sums of x, in torch's order;
            they become the slots that the backward pass reads. For the RNN the states themselves.
        states: (T, B, H), written.
        cells: (T, B, H), written; None but for the LSTM.
        first: (B, H) the state before all.
        first_c: as `first`, of the cells, or None.
        w: (GATES * H, H), torch's W_hh.
        bias_x: (GATES * H,), added to the sums of x, or None.
        bias: (GATES * H,), added to the products with h, or None.
        reset: (T, B) boolean, or None.
        counters: two zeros for each row tile (int32), zeros again afterwards; None without barrier.
        begin: the first step.
        end: past the last.
        B: rows of the batch.
        CELL: of `pointwise.advance`.
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
    off_k = local[:, None] * H + ks[None, :]
    ALONE: tl.constexpr = KIND == "tile"
    SYNC: tl.constexpr = KIND == "split"
    off_w = units[None, :] * H + ks[:, None]  # (BK, HS) of W^T
    EARLY: tl.constexpr = ALONE or BB * HS <= EARLY_SIZE  # see there
    WHOLE: tl.constexpr = H % HS == 0 and H % BK == 0
    w_mask = (units < H)[None, :] & (ks < H)[:, None]
    if RESIDENT:
        if STACKED:
            weights = stacked(w, off_w, w_mask, H * H, GATES, 0)
        else:
            weights = load_weights(w + off_w, w_mask, H, GATES, 0, WHOLE)
    start = load_bias(bias, units, H, GATES)
    start_x = load_bias(bias_x, units, H, GATES)
    nothing = tl.zeros((BB, HS), tl.float32)
    h = load_state(first, states, begin, top, wide, off_h, mine, H).to(tl.float32)
    c = h
    if cells is not None:
        c = load_state(first_c, cells, begin, top, wide, off_h, mine, H).to(tl.float32)
    doubt = 0.0
    counter = counters
    if SYNC:
        counter = counters + 2 * tl.program_id(0)
    for t in range(begin, end):
        row = t * wide + top
        if EARLY:
            from_x = load_gates(slots + row * (SLOTS * H) + off_s, mine, H, GATES)
        reads = alive
        if reset is not None:
            cleared = tl.load(reset + row + local, mask=alive, other=0) != 0
            reads = alive & (cleared == 0)  # a cleared row is not even read
            h = tl.where(cleared[:, None], 0.0, h)
            c = tl.where(cleared[:, None], 0.0, c)
        sums = (nothing, nothing, nothing, nothing)
        if ALONE:
            if not RESIDENT:
                weights = load_weights(w + off_w, w_mask, H, GATES, 0, WHOLE)
            sums = add_products(h, weights, sums, GATES, PRECISION)
        elif STACKED:
            total = tl.zeros((4, BB, HS), tl.float32)
            for k in range(0, H, BK):
                more = k + ks < H
                mask = reads[:, None] & more[None, :]
                h_k = load_state(first, states, t, top, wide, off_k + k, mask, H)
                h_k = tl.broadcast_to(h_k[None, :, :], (4, BB, BK))
                if not RESIDENT:
                    mask = (units < H)[None, :] & more[:, None]
                    weights = stacked(w + k, off_w, mask, H * H, GATES, 0)
                total = dot(h_k, weights, total, PRECISION)
            sums = unstacked(total)
        else:
            for k in range(0, H, BK):
                more = k + ks < H
                mask = reads[:, None] & more[None, :]
                h_k = load_state(first, states, t, top, wide, off_k + k, mask, H)
                if not RESIDENT:
                    mask = (units < H)[None, :] & more[:, None]
                    weights = load_weights(w + off_w + k, mask, H, GATES, 0, WHOLE)
                sums = add_products(h_k, weights, sums, GATES, PRECISION)
        if not EARLY:
            from_x = load_gates(slots + row * (SLOTS * H) + off_s, mine, H, GATES)
        if BB * HS > 1024:  # too large a tile to keep the bias in registers
            start = load_bias(bias, units, H, GATES)
        sums = added(sums, start)
        if bias_x is not None:
            from_x = added(from_x, start_x)
        h, c, s_0, s_1, s_2, s_3 = advance(CELL, from_x, sums, h, c)
        if SYNC:
            h += doubt
        rounded = h.to(states.dtype.element_ty)  # the next step reads what is written
        h = rounded.to(tl.float32)
        tl.store(states + row * H + off_h, rounded, mask=mine)
        if cells is not None:
            kept = c.to(cells.dtype.element_ty)
            c = kept.to(tl.float32)
            tl.store(cells + row * H + off_h, kept, mask=mine)
        if SLOTS > 1:
            store_gates(slots + row * (SLOTS * H) + off_s, s_0, s_1, s_2, s_3, mine, H, SLOTS)
        if SYNC:
            target = (t + 1 - begin) * tl.num_programs(1)
            doubt = wait_for_all(counter, target, LOOKS)
    if SYNC:
        leave(counter, counter + 1, tl.num_programs(1))
