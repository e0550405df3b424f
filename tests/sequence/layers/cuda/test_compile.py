"""What the compiler says of the plans, without a device: registers suffice and shared memory fits.

pytest -m interpreter, where Triton is installed (and TRITON_INTERPRET is not set): a step in CI.
"""

import os
import re
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from sidestep.sequence.layers.cuda.plans import A100, H100, Plan, before, choose

asked = os.environ.get("TRITON_INTERPRET") != "1" and find_spec("triton") is not None
pytestmark = [
    pytest.mark.interpreter,
    pytest.mark.skipif(not asked, reason="needs Triton, and TRITON_INTERPRET not set"),
]
SIZES = (
    (17, 64),
    (64, 64),
    (64, 4096),
    (128, 64),
    (128, 200),
    (128, 512),
    (128, 1024),
    (128, 2048),
    (128, 16384),
    (256, 32),
    (512, 256),
)
"""H and B, each with another plan. The LSTM stands for the others: it has the most gates."""
SPILLED = 32
"""Bytes of the stack that are no matter: eight registers."""


class Job(NamedTuple):
    """One kernel for one card."""

    cell: str
    hidden: int
    plan: Plan
    dtype: torch.dtype
    back: bool
    capability: int


def jobs(capability: int) -> list[Job]:
    card, found = (H100 if capability == 90 else A100), []
    for hidden, batch in SIZES if capability == 90 else SIZES[1:4]:
        for dtype in (torch.float32, torch.bfloat16):
            for back in (False, True):
                plan = choose(hidden, batch, dtype, back, card)
                assert plan is not None
                found.append(Job("lstm", hidden, plan, dtype, back, capability))
                other = before(plan)
                if other is not None and dtype == torch.float32 and batch in (64, 256, 4096):
                    found.append(Job("gru_before", hidden, other, dtype, back, capability))
    return found


def signature(kernel: Any, job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    """Types of a kernel's arguments, and the values of those that are constants."""
    plan, short = job.plan, "fp32" if job.dtype == torch.float32 else "bf16"
    constants = {
        "CELL": job.cell, "GATES": 4, "SLOTS": 4, "H": job.hidden, "BB": plan.rows,
        "HS": plan.units, "BK": plan.depth, "RESIDENT": plan.resident, "STACKED": plan.stacked,
        "KIND": plan.kind, "PRECISION": "tf32x3", "LOOKS": 1 << 22, "bias_x": None,
    }  # fmt: skip
    if plan.kind != "split":
        constants["counters"] = None
    types = {name: "i32" for name in ("begin", "end", "T", "B")}
    types |= {"counters": "*i32", "reset": "*i1"}
    if plan.kind == "step":
        types |= {"d_h": "*fp32", "d_c": "*fp32"}
    values = {n: constants[n] for n in kernel.arg_names if n in constants}
    kinds = {n: "constexpr" if n in values else types.get(n, f"*{short}") for n in kernel.arg_names}
    return kinds, values


def use(job: Job) -> tuple[Job, int, int]:
    """Compile; the bytes of the stack and of shared memory that a program takes."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from sidestep.sequence.layers.cuda import backward, forward
    from sidestep.sequence.layers.cuda.before import backward_before, forward_before

    if job.cell == "gru_before":
        kernel: Any = backward_before if job.back else forward_before
    else:
        kernel = backward.backward if job.back else forward.forward
    kinds, values = signature(kernel, job)
    places = {name: (place,) for place, name in enumerate(kernel.arg_names)}
    aligned = [["tt.divisibility", 16]]
    source = ASTSource(
        kernel,
        kinds,
        {places[name]: value for name, value in values.items()},
        {places[name]: aligned for name, kind in kinds.items() if kind[0] == "*"},
    )
    options = {"num_warps": job.plan.warps, "num_stages": job.plan.stages, "enable_fp_fusion": True}
    target = GPUTarget("cuda", job.capability, 32)
    compiled: Any = triton.compile(source, target=target, options=options)
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        told = subprocess.run(
            [tool, "-res-usage", file.name], capture_output=True, text=True, check=True
        )
    stack = re.search(r"STACK:(\d+)", told.stdout + told.stderr)
    assert stack is not None
    return job, int(stack[1]), int(compiled.metadata.shared)


@pytest.mark.parametrize("capability", [90, 80])
def test_plans_fit(capability: int) -> None:
    limit = (H100 if capability == 90 else A100).shared
    # forked: a process begun anew does not find this file, which pytest imports from its path
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        found = list(pool.map(use, jobs(capability)))
    bad = [entry for entry in found if entry[1] > SPILLED or entry[2] > limit]
    assert not bad, "\n".join(map(str, bad))
