"""The optimizer is torch's, number for number, and loads nothing that training has no use for."""

import subprocess
import sys

import pytest
import torch

from sidestep.sequence.fitting.optimise import Adam, flatten_parameters

TRAINED = """
import sys
import torch
from sidestep.agents import DeepSARSA, REINFORCE
torch.set_num_threads(1)
for learner in (DeepSARSA, REINFORCE):
    learner("sidestep/MovingObstacles-v0").learn(2000)
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


def test_adam_is_torchs_own() -> None:
    """Forty steps with falling rates and a state that is read again: the same bits."""
    weights, states = [], []
    for kind in (Adam, torch.optim.Adam):
        torch.manual_seed(3)
        module = torch.nn.Linear(7, 5)
        flat = flatten_parameters(module)
        optimizer = kind([flat], lr=0.02, eps=1e-5, fused=True)
        for step in range(40):
            assert flat.grad is not None
            flat.grad.copy_(torch.randn_like(flat) * 10 ** (step % 5 - 2))
            optimizer.param_groups[0]["lr"] = 0.02 / (1 + step)
            optimizer.step()
            assert not flat.grad_fn
        weights.append(flat.detach().clone())
        states.append(optimizer.state_dict())
    assert torch.equal(*weights)
    assert states[0]["param_groups"] == states[1]["param_groups"]
    for name, value in states[0]["state"][0].items():
        assert torch.equal(value, states[1]["state"][0][name]), name


@pytest.mark.slow
def test_training_does_not_load_torchs_compiler() -> None:
    """That import takes a second of processor time, more than all else of a first update.

    Agents without memory have no use for it; recurrent layers are operators, which torch loads so.
    """
    ran = subprocess.run(
        [sys.executable, "-c", TRAINED], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
