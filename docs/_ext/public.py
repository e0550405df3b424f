"""The directive `public`: documents what a package gives its users, by the rooms it comes from.

    .. public:: sidestep.envs
       :rooms: env vector_env registration

    .. public:: sidestep.envs
       :rest:

Public is what the package's own file imports under its own name (`from .env import Env as Env`).
`:rest:` takes the rooms that no directive before it on the page named, so that nothing is left out.
"""

import ast
import functools
import importlib
import inspect
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

PACKAGES = ("sidestep.envs", "sidestep.agents", "sidestep.sequence")


@functools.cache
def names(package: str) -> tuple[tuple[str, str], ...]:
    """Public names of a package, each with the module that it comes from."""
    found = []
    module = importlib.import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                if not name.startswith("_"):
                    found.append((name, f"{'.' * node.level}{node.module}"))
    return tuple(found)


def room(origin: str) -> str:
    """The room of a module: `levels` of `.levels.level`; another package's is its whole name."""
    return origin.lstrip(".").split(".")[0] if origin.startswith(".") else origin


class Public(SphinxDirective):
    """Entries of the public names from some rooms of a package."""

    required_arguments = 1
    option_spec: ClassVar = {"rooms": directives.unchanged, "rest": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Let autodoc write each entry."""
        package = self.arguments[0]
        seen = self.env.temp_data.setdefault(f"public {package}", set())
        known = {room(origin) for _, origin in names(package)}
        wanted = set(self.options.get("rooms", "").split())
        if "rest" in self.options:
            wanted = known - seen
        if missing := wanted - known:
            raise self.error(f"expected rooms of {package} ({', '.join(known)}), got {missing}")
        seen |= wanted
        lines: list[str] = []
        for name, origin in names(package):
            if room(origin) in wanted:
                lines += [*entry(package, name, origin), ""]
        return self.parse_text_to_nodes(StringList(lines, package))


def entry(package: str, name: str, origin: str) -> list[str]:
    """The directive for one name; for a constant with what stands below it in its module."""
    found = getattr(importlib.import_module(package), name)
    if inspect.ismodule(found):
        return [f".. automodule:: {found.__name__}", "   :members:"]
    if inspect.isclass(found):
        lines = [f".. autoclass:: {package}.{name}", "   :members:", "   :show-inheritance:"]
        return lines + inherited(found)
    if inspect.isroutine(found):
        return [f".. autofunction:: {package}.{name}"]
    module = importlib.import_module(origin, package).__name__
    words = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
    if words is None:
        raise ValueError(f"expected a docstring below {name} in {module}, got none")
    head = [f".. py:data:: {name}", f"   :module: {package}", ""]
    return [*head, *(f"   {line}" for line in words)]


def inherited(found: type) -> list[str]:
    """The option that adds what a class has of bases that are not public, and of these alone."""
    known = by_origin()
    bases = [base for base in found.__mro__[1:] if base.__module__.startswith("sidestep.")]
    hidden = [base for base in bases if f"{base.__module__}.{base.__qualname__}" not in known]
    if not hidden:
        return []
    others = [base.__name__ for base in found.__mro__[1:] if base not in hidden]
    return [f"   :inherited-members: {', '.join(others)}"]


def without_object(app: Sphinx, name: str, found: Any, options: Any, bases: list[Any]) -> None:
    """Leave out the base that every class has."""
    bases[:] = [base for base in bases if base is not object]


@functools.cache
def by_origin() -> dict[str, str]:
    """Public names of objects by those of the modules that they are written in."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name, _ in names(package):
            value = getattr(module, name)
            if hasattr(value, "__qualname__"):
                found[f"{value.__module__}.{value.__qualname__}"] = f"{package}.{name}"
    return found


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Follow a reference to an object by the module that it is written in."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    for written, public in by_origin().items():
        if target == written or target.startswith(f"{written}."):
            name = public + target.removeprefix(written)
            domain: Any = env.domains["py"]
            return domain.resolve_xref(  # type: ignore[no-any-return]
                env, node["refdoc"], app.builder, "obj", name, node, content
            )
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the references."""
    app.add_directive("public", Public)
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-bases", without_object)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
