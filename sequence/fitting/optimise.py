"""An optimizer step on all parameters as one vector: clipped, and refused where not finite."""

import inspect
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .stored import Spec


def adam_specs(flat: nn.Parameter) -> dict[str, Spec]:
    """What Adam stores of `flat`, by name, once it has made a step."""
    moment = Spec(flat.dtype, tuple(flat.shape))
    return {"exp_avg": moment, "exp_avg_sq": moment, "step": Spec(torch.float32, ())}


def load_adam(
    optimizer: torch.optim.Optimizer, flat: nn.Parameter, state: Mapping[str, Tensor]
) -> None:
    """Put back what Adam stored of `flat`; {} where it had made no step."""
    optimizer.state[flat] = {k: v.to(flat.device).clone() for k, v in state.items()}


class Adam(torch.optim.Adam):
    """torch's Adam, without torch's compiler, whose import takes a second of processor time.

    The two methods are torch's own, out of the wrappers that import the compiler only to tell it to
    stop there.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


def flatten_parameters(network: nn.Module) -> nn.Parameter:
    """One vector of which all parameters and their gradients become views.

    Clipping, Adam and a sum over processes are then one call each instead of one a parameter.
    """
    parameters = list(network.parameters())
    flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
    flat.grad = torch.zeros_like(flat)
    begin = 0
    for parameter in parameters:
        end = begin + parameter.numel()
        parameter.data = flat.data[begin:end].view_as(parameter)
        parameter.grad = flat.grad[begin:end].view_as(parameter)
        begin = end
    return flat


def descend(
    loss: Tensor,
    flat: nn.Parameter,
    optimizer: torch.optim.Optimizer,
    max_gradient_norm: float,
    place: str,
) -> float:
    """One optimizer step down the gradient of `loss`, scaled down to `max_gradient_norm`.

    Args:
        loss: a scalar with its graph.
        flat: of `flatten_parameters`; the optimizer's only parameter.
        optimizer: takes the step.
        max_gradient_norm: the largest norm that reaches the optimizer.
        place: ends the error's message, for instance "after 100 steps".

    Returns:
        The gradient's norm before clipping.

    Raises:
        FloatingPointError: a loss or gradient that is not finite; the parameters are unchanged.
    """
    gradient = flat.grad
    assert gradient is not None
    gradient.zero_()
    loss.backward()  # type: ignore[no-untyped-call]
    size, value = float(gradient.norm()), float(loss.detach())
    if not (math.isfinite(size) and math.isfinite(value)):
        raise FloatingPointError(
            f"expected a finite loss and gradient, got loss {value}, norm {size} {place}"
        )
    if size > max_gradient_norm:
        gradient.mul_(max_gradient_norm / size)
    optimizer.step()
    return size
