"""What an exercise is made of: a signature, inputs, the right answer, and known mistakes."""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

Inputs = tuple[Any, ...]
"""The arguments of one call, in order."""


class Mistake(NamedTuple):
    """A way to be wrong that is typical, and the hint for it."""

    function: Callable[..., Any]
    """Does what the mistake does; of the exercise's signature."""
    hint: str
    korean: str


@dataclass(frozen=True)
class Exercise:
    """One function to write."""

    answer: Callable[..., Any]
    """Ours; its name, signature and docstring are those that the chapter shows."""
    cases: "Callable[[Draw], list[Inputs]]"
    """Makes the inputs, the smallest first; the same ones for the same draws."""
    mistakes: tuple[Mistake, ...]
    unchanged: tuple[str, ...] = ()
    """Arguments that the chapter says must not be changed in place."""
    parts: tuple[str, ...] = ()
    """Names of what is returned, where that is a tuple."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.answer.__name__

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arguments."""
        return tuple(inspect.signature(self.answer).parameters)

    def inputs(self) -> list[Inputs]:
        """Make the inputs, afresh: whoever gets them may change them."""
        return self.cases(Draw(0))

    def skeleton(self) -> str:
        """The signature and the docstring, as the chapter shows them."""
        source = textwrap.dedent(inspect.getsource(self.answer))
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)
        return "\n".join(source.splitlines()[: function.body[0].end_lineno]) + "\n"

    def signature(self) -> str:
        """The signature on one line."""
        source = textwrap.dedent(inspect.getsource(self.answer))
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)
        function.body = [ast.Expr(ast.Constant(...))]
        return ast.unparse(function).splitlines()[0].removesuffix(":")


@dataclass(frozen=True)
class Chapter:
    """The exercises of one chapter."""

    title: str
    korean: str
    file: str
    """What a reader's own file may be called."""
    imports: str
    """What the signatures need."""
    exercises: tuple[Exercise, ...]

    def template(self) -> str:
        """A file with the signatures, to be filled."""
        skeletons = [f"{one.skeleton()}    ...\n" for one in self.exercises]
        return "\n\n".join([self.imports, *skeletons])


class Draw:
    """Small numbers that are the same in every process, with one decimal."""

    def __init__(self, seed: int) -> None:
        """Begin a stream."""
        self._rng = np.random.default_rng(seed)

    def numbers(self, *shape: int, size: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Normally distributed, of a standard deviation."""
        return np.round(size * self._rng.standard_normal(shape), 1) + 0.0  # no -0

    def tensor(self, *shape: int, size: float = 1.0) -> Tensor:
        """Likewise, as a tensor."""
        return torch.from_numpy(self.numbers(*shape, size=size)).float()

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` up to `high`, which is excluded."""
        return torch.from_numpy(self._rng.integers(low, high, shape))

    def flags(self, *shape: int, share: float = 0.5) -> Tensor:
        """True in a share of the places."""
        return torch.from_numpy(self._rng.random(shape) < share)


def copied(inputs: Inputs) -> Inputs:
    """Inputs that a function may change without harm to the others."""
    return copy.deepcopy(inputs)


def changed(before: Inputs, after: Inputs, names: Sequence[str]) -> list[str]:
    """The names of tensors and arrays that a call changed in place."""
    found = []
    for name, old, new in zip(names, before, after, strict=True):
        if isinstance(old, Tensor | np.ndarray):
            same = old.shape == new.shape and bool(
                (torch.as_tensor(old) == torch.as_tensor(new)).all()
            )
            if not same:
                found.append(name)
    return found
