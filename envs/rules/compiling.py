"""Compiling the kernels, with a cache on disk that knows everything a kernel is made of.

numba's own cache looks at the file that a function stands in: it misses a change in a function that
is called from there, in a constant, and in the switches of the compiler. Here the key of a kernel
holds the code of all that it calls, the value of every constant that it names, and every switch.
"""

import dis
import hashlib
import os
import pickle
import re
import sys
import uuid
from contextlib import suppress
from functools import cache
from inspect import isfunction
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import llvmlite  # type: ignore[import-untyped]
import numba
import numpy as np
from numba.core import config
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps
from numba.extending import _Intrinsic

OPTIONS = {"error_model": "numpy", "boundscheck": False}
SWITCHES = (
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "DISABLE_INTEL_SVML",
    "ENABLE_AVX",
    "EXTEND_VARIABLE_LIFETIMES",
    "LLVM_REFPRUNE_FLAGS",
    "LLVM_REFPRUNE_PASS",
    "LOOP_VECTORIZE",
    "OPT",
    "SLP_VECTORIZE",
)
"""Those of numba's settings that change the machine code and are not in its own key."""
OWN = __name__.split(".")[0]


def compiled(function: Any) -> Any:
    """`numba.njit` with a cache on disk, or without one where no folder can be written."""
    kernel: Any = numba.njit(**OPTIONS)(function)
    if hasattr(kernel, "py_func"):  # else NUMBA_DISABLE_JIT: the function itself
        try:
            kernel._cache = KernelCache(function)  # as `njit(cache=True)` puts numba's own there
        except RuntimeError:  # numba found no folder for it
            pass
    return kernel


def inlined(function: Any) -> Any:
    """Make a part of kernels: its code goes into theirs, and it is not compiled alone.

    That would cost as much again: a library, its machine code and a way in from Python, which
    nobody takes.
    """
    return numba.njit(inline="always", **OPTIONS)(function)


class KernelCache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """Machine code of one function on disk, one file a signature and set of switches.

    A file that was written for other code is written over, so nothing piles up; it holds its whole
    key, and comes into place in one move, so processes that compile at once cannot mix.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is stored for the signature and this code, or None."""
        target_context.refresh()
        if not self._enabled:
            return None
        place = self._place(sig, target_context.codegen())
        key = (place.name, str(sig), fingerprint(self._py_func))
        try:
            stored, digest, payload = pickle.loads(place.read_bytes())
            if stored != key or digest != hashlib.sha256(payload).digest():
                return None
            made = pickle.loads(payload)
        except Exception:  # nothing there, or damaged in any way
            return None
        return self._impl.rebuild(target_context, made)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store what was compiled for the signature; where that fails it is compiled next time."""
        if not self._enabled or not self._impl.check_cachable(data):
            return
        place = self._place(sig, data.codegen)
        key = (place.name, str(sig), fingerprint(self._py_func))
        payload = dumps(self._impl.reduce(data))
        text = pickle.dumps((key, hashlib.sha256(payload).digest(), payload))
        coming = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
        try:
            coming.write_bytes(text)
            os.replace(coming, place)
        except OSError:
            with suppress(OSError):
                coming.unlink()

    def flush(self) -> None:
        """Delete all that is stored of the function."""
        for place in Path(self.cache_path).glob(f"{self._stem()}-*.nbc"):
            place.unlink(missing_ok=True)

    def _place(self, sig: Any, codegen: Any) -> Path:
        """The file for a signature on this processor, under these switches."""
        config.reload_config()  # as the compiler does, which looks at the environment again
        switches = [(name, str(getattr(config, name, None))) for name in SWITCHES]
        versions = (sys.version, numba.__version__, llvmlite.__version__)
        facts = (str(sig), codegen.magic_tuple(), switches, versions, sorted(OPTIONS.items()))
        digest = hashlib.sha256(repr(facts).encode()).hexdigest()
        return Path(self.cache_path) / f"{self._stem()}-{digest[:24]}.nbc"

    def _stem(self) -> str:
        """The function's name, fit for a file."""
        return re.sub(r"\W", "_", f"{self._py_func.__module__}.{self._py_func.__qualname__}")


def fingerprint(function: Any) -> str:
    """Digest what a kernel does: its code, that of all it calls, and its constants' values.

    It is taken from what is in memory, so an edit of a file that a running process has loaded
    already cannot put old code under a new key.

    Args:
        function: a Python function, not yet compiled.

    Raises:
        TypeError: a global variable of a kind that has no digest, named.
    """
    found, seen, waiting = set(), set(), [function]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        name = f"{function.__module__}.{function.__qualname__}"
        found.add(f"{name}: {_facts(function.__code__)}, {function.__defaults__!r}")
        for variable, value in _variables(function):
            if isinstance(value, Dispatcher):
                waiting.append(value.py_func)
            elif isinstance(value, _Intrinsic):
                waiting.append(value._defn)
            elif isinstance(value, FunctionType) and _package(value) == _package(function):
                waiting += _beside(value)
            else:
                found.add(f"{name}: {variable} = {_constant(variable, value)}")
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


def _beside(function: Any) -> list[Any]:
    """All plain functions of a module: numba may compile another one instead, by `overload`."""
    functions = [f for f in function.__globals__.values() if isfunction(f)]
    return [f for f in functions if f.__module__ == function.__module__]


@cache
def _facts(code: CodeType) -> str:
    """A code object as text, without its lines and file."""
    constants = [_facts(c) if isinstance(c, CodeType) else _literal(c) for c in code.co_consts]
    arguments = (code.co_argcount, code.co_kwonlyargcount, code.co_flags)
    variables = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return repr((code.co_code, code.co_exceptiontable, constants, arguments, variables))


def _literal(value: Any) -> str:
    """`repr`, in one order for a set."""
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


@cache
def _names(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The global variables that code reads, and the attributes."""
    globals_, attributes = set(), set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            globals_.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            attributes.add(instruction.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more, parts = _names(inner)
            globals_, attributes = globals_ | more, attributes | parts
    return frozenset(globals_), frozenset(attributes)


def _variables(function: Any) -> list[tuple[str, Any]]:
    """What a function reads from outside: globals, closure, and of modules of its package."""
    names, attributes = _names(function.__code__)
    found = [(n, function.__globals__[n]) for n in names if n in function.__globals__]
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found += [(name, cell.cell_contents) for name, cell in cells]
    modules = [value for _, value in found if isinstance(value, ModuleType)]
    own = [m for m in modules if m.__name__.split(".")[0] == _package(function)]
    return found + [(a, vars(m)[a]) for m in own for a in attributes if a in vars(m)]


def _package(value: Any) -> str:
    """The package of a function or type."""
    return str(value.__module__).split(".")[0]


def _constant(name: str, value: Any) -> str:
    """The value of a global variable as text; of what is another library's, its name."""
    if isinstance(value, ModuleType | np.ufunc):
        return value.__name__
    if isinstance(value, type | BuiltinFunctionType | FunctionType) and _package(value) != OWN:
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, tuple):
        return repr((type(value).__qualname__, [_constant(name, item) for item in value]))
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return f"{type(value).__name__} {value!r}"
    raise TypeError(
        f"compiled code reads {name}: expected a number, a text, an array, a type, a module or a "
        f"function, got {type(value).__name__}"
    )
