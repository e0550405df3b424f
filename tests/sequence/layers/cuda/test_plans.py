"""The table of plans, and the switch of precision: what needs neither a GPU nor Triton."""

import subprocess
import sys

import pytest
import torch

from sidestep.sequence.layers.cuda import precision
from sidestep.sequence.layers.cuda.plans import A100, H100, Card, Plan, before, choose

SHORT = torch.bfloat16


@pytest.mark.parametrize("card", [H100, A100, Card(144, 232448)])
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, SHORT, torch.float16])
def test_programs_that_wait_for_each_other_all_fit(
    card: Card, back: bool, dtype: torch.dtype
) -> None:
    for hidden in (1, 17, 64, 65, 100, 128, 200, 256, 384, 512, 1000):
        for batch in (1, 16, 17, 100, 256, 1000, 1024, 1056, 1057, 4096, 100_000):
            plan = choose(hidden, batch, dtype, back, card)
            assert plan is not None
            programs = -(-batch // plan.rows) * -(-hidden // plan.units)
            assert plan.kind != "split" or programs <= card.processors
            assert plan.kind != "tile" or plan.units >= hidden
            assert not plan.resident or plan.depth >= hidden


def test_the_table_at_the_measured_sizes() -> None:
    assert choose(64, 4096, torch.float32, False) == Plan("tile", 32, 64, 64, True, 8, 2)
    assert choose(64, 1024, torch.float32, False) == Plan("split", 16, 32, 64, True, 4, 1, True)
    assert choose(64, 1024, torch.float32, True) == Plan("tile", 16, 64, 64, True, 4, 2)
    for back in (False, True):
        assert choose(128, 64, torch.float32, back) == Plan("split", 16, 8, 64, False, 4, 2, True)
        assert choose(256, 32, torch.float32, back) == Plan("split", 16, 8, 64, False, 4, 3, True)
        assert choose(512, 256, torch.float32, back) == Plan("split", 32, 32, 32, False, 4, 3, True)
    assert choose(128, 64, SHORT, True) == Plan("tile", 16, 128, 128, True, 8, 2)
    assert choose(512, 256, SHORT, True) == Plan("split", 64, 16, 128, False, 4, 2)


def test_where_the_loop_runs() -> None:
    assert choose(64, 64, torch.float64, False) is None
    assert choose(64, 64, torch.float32, False, Card(128, 101376)) is None  # too little on the chip
    many = choose(128, 100_000, torch.float32, False)
    assert many is not None and many.kind == "step" and before(many) is None


def test_precision_follows_the_switch_for_products() -> None:
    matmul, rnn = torch.backends.cuda.matmul, torch.backends.cudnn.rnn
    kept = matmul.allow_tf32, rnn.fp32_precision
    try:
        for allowed, ours, cudnn in ((False, "tf32x3", "ieee"), (True, "tf32", "tf32")):
            matmul.allow_tf32 = allowed
            assert precision.float32_precision() == ours
            for before_it in ("ieee", "tf32"):
                rnn.fp32_precision = before_it
                with precision.one_precision(ours):
                    assert rnn.fp32_precision == cudnn
                assert rnn.fp32_precision == before_it
    finally:
        matmul.allow_tf32, rnn.fp32_precision = kept


def test_no_import_of_triton() -> None:
    code = "import sys, sidestep.sequence; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
