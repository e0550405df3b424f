"""An optimizer step on all parameters as one vector: clipped, and refused where not finite."""

import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from sidestep.sequence.chunks import ALIGNED, Chunk, chunk_of

from .stored import Spec


def adam_specs(network: nn.Module) -> dict[str, Spec]:
    """What Adam stores of a network's parameters, by name, once it has made a step."""
    parameters = list(network.parameters())
    moment = Spec(parameters[0].dtype, (sum(p.numel() for p in parameters),))
    return {"exp_avg": moment, "exp_avg_sq": moment, "step": Spec(torch.float32, ())}


def stored_adam(
    optimizer: torch.optim.Optimizer, flat: nn.Parameter, network: nn.Module
) -> dict[str, Tensor]:
    """What Adam stores, in the order of the parameters, wherever they lie.

    So a checkpoint is the same from every device. It is {} before the first step.
    """
    places = list(_places(flat, network))

    def in_order(vector: Tensor) -> Tensor:
        return torch.cat([vector[begin:end] for begin, end in places])

    state = optimizer.state[flat]
    if _is_in_order(places):
        return dict(state)
    return {k: in_order(v) if v.dim() else v for k, v in state.items()}


def load_adam(
    optimizer: torch.optim.Optimizer,
    flat: nn.Parameter,
    network: nn.Module,
    state: Mapping[str, Tensor],
) -> None:
    """Put back what `stored_adam` gave, from whatever device."""
    places = list(_places(flat, network))

    def laid(stored: Tensor) -> Tensor:
        vector = torch.zeros_like(flat.detach())
        sizes = [end - begin for begin, end in places]
        for (begin, end), part in zip(places, torch.split(stored, sizes), strict=True):
            vector[begin:end] = part
        return vector

    here = {k: v.to(flat.device) for k, v in state.items()}
    plain = _is_in_order(places)
    optimizer.state[flat] = {
        k: v.clone() if plain or not v.dim() else laid(v) for k, v in here.items()
    }


def _places(flat: nn.Parameter, network: nn.Module) -> Iterator[tuple[int, int]]:
    """Begin and end of each parameter in `flat`, of which all are views."""
    origin, width = flat.data_ptr(), flat.element_size()
    for parameter in network.parameters():
        begin = (parameter.data_ptr() - origin) // width
        yield begin, begin + parameter.numel()


def _is_in_order(places: list[tuple[int, int]]) -> bool:
    """Whether one begins where the one before ends, the first at 0."""
    ends = [0, *(end for _, end in places)]
    return all(begin == before for (begin, _), before in zip(places, ends, strict=False))


class Adam(torch.optim.Adam):
    """torch's Adam, without torch's compiler, whose import takes a second of processor time.

    The two methods are torch's own, out of the wrappers that import the compiler only to tell it to
    stop there.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


def flatten_parameters(network: nn.Module) -> nn.Parameter:
    """One vector of which all parameters and their gradients become views.

    Clipping, Adam and a sum over processes are then one call each instead of one a parameter. They
    lie in their order; but those of a module that has a `memory_layout` (on a GPU, where cuDNN runs
    it) as that says, from a multiple of 512 bytes on, with zeros in the gaps.
    """
    parameters = list(network.parameters())
    chunks = [chunk for chunk in map(chunk_of, network.modules()) if chunk is not None]
    places, begins, size = _laid_out(parameters, chunks)
    flat = nn.Parameter(parameters[0].detach().new_zeros(size))
    flat.grad = torch.zeros_like(flat)
    for chunk, begin in zip(chunks, begins, strict=True):
        chunk.lay(flat.data[begin : begin + chunk.size])
    held = {id(parameter) for chunk in chunks for parameter in chunk.parameters}
    for parameter, begin in zip(parameters, places, strict=True):
        end = begin + parameter.numel()
        if id(parameter) not in held:
            part = flat.data[begin:end].view_as(parameter)
            part.copy_(parameter.detach())
            parameter.data = part
        parameter.grad = flat.grad[begin:end].view_as(parameter)
    return flat


def _laid_out(
    parameters: list[nn.Parameter], chunks: list[Chunk]
) -> tuple[list[int], list[int], int]:
    """Where parameters and chunks begin, in elements, and how many there are with the gaps."""
    member = {
        id(parameter): (number, place)
        for number, chunk in enumerate(chunks)
        for parameter, place in zip(chunk.parameters, chunk.places, strict=True)
    }
    begins, places, size = [-1] * len(chunks), [], 0
    for parameter in parameters:
        if id(parameter) not in member:
            places.append(size)
            size += parameter.numel()
            continue
        number, place = member[id(parameter)]
        if begins[number] < 0:
            step = ALIGNED // parameter.element_size()
            begins[number] = -(-size // step) * step
            size = begins[number] + chunks[number].size
        places.append(begins[number] + place)
    return places, begins, size


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
    gradient_of(loss, flat)
    return step_along(loss.detach(), flat, optimizer, max_gradient_norm, place)


def step_along(
    loss: Tensor,
    flat: nn.Parameter,
    optimizer: torch.optim.Optimizer,
    max_gradient_norm: float,
    place: str,
) -> float:
    """Do what `descend` does with the gradient that is in its place already.

    Args:
        loss: () whose gradient it is; only looked at.
        flat: of `flatten_parameters`, with the gradient.
        optimizer: takes the step.
        max_gradient_norm: the largest norm that reaches the optimizer.
        place: ends the error's message.
    """
    gradient = flat.grad
    assert gradient is not None
    size, value = float(gradient.norm()), float(loss)
    _check_finite(value, size, place)
    if size > max_gradient_norm:
        gradient.mul_(max_gradient_norm / size)
    optimizer.step()
    return size


class DeviceDescent:
    """Steps as those of `descend` on a device, without waiting for loss and norm.

    A loss or gradient that is not finite stops this step and all that follow, on the device: the
    parameters stay as the last good step left them. `read` says so later.
    """

    @classmethod
    def of(cls, flat: nn.Parameter, optimizer: torch.optim.Optimizer) -> Self | None:
        """Steps on a device; None on the CPU, where there is nothing to wait for."""
        return None if flat.is_cpu else cls(flat, optimizer)

    def __init__(self, flat: nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        """Begin with no step stopped."""
        self.flat, self.optimizer = flat, optimizer
        self.stopped = torch.zeros((), device=flat.device)
        self.figures = torch.zeros(2, device=flat.device)
        """Loss and norm of the last step, or of the first that was stopped."""

    def descend(self, loss: Tensor, max_gradient_norm: float) -> Tensor:
        """One step down the gradient of `loss`; returns its norm before clipping, ()."""
        gradient_of(loss, self.flat)
        return self.step_along(loss.detach(), max_gradient_norm)

    def step_along(self, loss: Tensor, max_gradient_norm: float) -> Tensor:
        """Do what `descend` does with the gradient that is in its place already."""
        gradient = self.flat.grad
        assert gradient is not None
        norm: Tensor = gradient.norm()
        now = torch.stack((loss, norm))
        self.figures = torch.where(self.stopped > 0, self.figures, now)
        self.stopped = torch.maximum(self.stopped, (~now.isfinite()).any().float())
        gradient.mul_((max_gradient_norm / norm).clamp(max=1.0))
        self.optimizer.found_inf = self.stopped  # type: ignore[attr-defined]
        self.optimizer.step()
        del self.optimizer.found_inf  # type: ignore[attr-defined]
        return norm

    def read(self, figures: Mapping[str, Tensor | float], place: str) -> dict[str, float]:
        """Bring figures (scalars) to the host, in one copy, and refuse what was stopped.

        Raises:
            FloatingPointError: as `descend` does; the next steps are not stopped.
        """
        waiting = {k: v for k, v in figures.items() if isinstance(v, Tensor)}
        known = {k: v for k, v in figures.items() if not isinstance(v, Tensor)}
        sent = [*waiting.values(), self.stopped, *self.figures.unbind()]
        *values, stopped, value, size = torch.stack([x.detach().double() for x in sent]).tolist()
        if stopped:
            self.stopped = torch.zeros_like(self.stopped)
            _check_finite(value, size, place)
        return {**known, **dict(zip(waiting, values, strict=True))}


def gradient_of(loss: Tensor, flat: nn.Parameter) -> Tensor:
    """The gradient of `loss`, in the place that `flat` has for it."""
    gradient = flat.grad
    assert gradient is not None
    gradient.zero_()
    loss.backward()  # type: ignore[no-untyped-call]
    return gradient


def _check_finite(value: float, size: float, place: str) -> None:
    if not (math.isfinite(size) and math.isfinite(value)):
        raise FloatingPointError(
            f"expected a finite loss and gradient, got loss {value}, norm {size} {place}"
        )
