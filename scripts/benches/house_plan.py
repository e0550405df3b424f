"""Who imports whom, file by file and room by room, read from the code without running it.

A room is a folder directly in a package with all that is below it, or a single file there; the face
of a package, its `__init__`, is a room of its own.
"""

import ast
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

PACKAGES = ("agents", "envs", "scripts", "sequence")
MOST = 16
"""Rooms in one circle for which the best order is looked for; there are two to that power."""
Name = tuple[str, ...]
"""A file as its parts: ("envs", "rules", "tick")."""
Node = TypeVar("Node", bound=Hashable)
Graph = Mapping[Node, Mapping[Node, int]]
"""Who imports whom, and by how many arrows."""


class Plan:
    """The files of a checkout and their imports: everywhere in a file, for types only too.

    Args:
        root: the checkout.
    """

    def __init__(self, root: Path) -> None:
        """Read every file."""
        self.files = {
            path.relative_to(root).with_suffix("").parts: path.read_text(encoding="utf-8")
            for package in PACKAGES
            for path in sorted((root / package).rglob("*.py"))
        }
        self.imports: dict[Name, dict[Name, int]] = {
            name: {other: 1 for other in self._targets(name) if other != name}
            for name in self.files
        }

    def _targets(self, name: Name) -> Iterator[Name]:
        for node in ast.walk(ast.parse(self.files[name])):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._file(tuple(alias.name.split(".")))
            elif isinstance(node, ast.ImportFrom):
                package = ("sidestep", *name[:-1])
                start = package[: len(package) - node.level + 1] if node.level else ()
                module = (*start, *(node.module.split(".") if node.module else ()))
                for alias in node.names:
                    yield from self._file((*module, alias.name), module)

    def _file(self, *modules: Name) -> Iterator[Name]:
        """The file of the first module that is one of ours."""
        for module in modules:
            for name in (module[1:], (*module[1:], "__init__")):
                if module[0] == "sidestep" and name in self.files:
                    yield name
                    return

    def circles(self) -> list[list[str]]:
        """Files that import each other in a loop."""
        found = [circle for circle in circles(self.imports) if len(circle) > 1]
        return sorted(sorted("/".join(name) + ".py" for name in circle) for circle in found)

    def rooms(self, package: str | None = None) -> Graph[Name]:
        """The rooms and the arrows between them; of one package, then without its face."""
        graph: dict[Name, Counter[Name]] = {}
        for name, others in self.imports.items():
            if self._counts(name, package):
                arrows = graph.setdefault(name[:2], Counter())
                counted = [o[:2] for o in others if self._counts(o, package)]
                arrows.update(room for room in counted if room != name[:2])
        return graph

    @staticmethod
    def _counts(name: Name, package: str | None) -> bool:
        return package is None or (name[0] == package and name[1] != "__init__")

    def arrows_up(self) -> int:
        """The fewest imports that would have to go for all rooms to stand in one order."""
        return sum(cost for _, cost in ordered(self.rooms()))

    def floors(self, package: str) -> int:
        """Rooms of a package in the longest chain of imports, arrows up left out."""
        graph = self.rooms(package)
        height: dict[Name, int] = {}
        for rooms, _ in ordered(graph):
            for room in rooms:
                height[room] = 1 + max((height[o] for o in graph[room] if o in height), default=0)
        return max(height.values(), default=0)

    def lines(self, package: str = "") -> int:
        """Lines of code, comments and empty ones included; of all packages if left out."""
        return sum(
            text.count("\n") for name, text in self.files.items() if package in ("", name[0])
        )


def ordered(graph: Graph[Node]) -> list[tuple[list[Node], int]]:
    """The circles of a graph, ground first; each in its best order, with the arrows against it.

    Raises:
        ValueError: a circle of too many rooms for that.
    """
    return [best_order(graph, circle) for circle in circles(graph)]


def best_order(graph: Graph[Node], circle: list[Node]) -> tuple[list[Node], int]:
    """The order in which the fewest arrows of a circle point to a later one, and how many do.

    By dynamic programming over the sets that may stand below (Held & Karp 1962, on orders).
    """
    if len(circle) > MOST:
        raise ValueError(f"rooms: expected at most {MOST} in one circle, got {len(circle)}")
    best: dict[int, tuple[int, list[Node]]] = {0: (0, [])}
    for below in range(1 << len(circle)):  # a set comes after all of its subsets
        cost, order = best[below]
        for place, room in enumerate(circle):
            if not below >> place & 1:
                later = [o for i, o in enumerate(circle) if i != place and not below >> i & 1]
                found = cost + sum(graph[room].get(other, 0) for other in later)
                larger = below | 1 << place
                if larger not in best or found < best[larger][0]:
                    best[larger] = found, [*order, room]
    cost, order = best[(1 << len(circle)) - 1]
    return order, cost


def circles(graph: Graph[Node]) -> list[list[Node]]:
    """Sets of nodes that reach each other, those first that reach no others (Tarjan 1972)."""
    number: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    waiting: list[Node] = []
    found: list[list[Node]] = []
    visit = _visitor(graph, number, lowest, waiting, found)
    for node in graph:
        if node not in number:
            visit(node)
    return found


def _visitor(
    graph: Graph[Node],
    number: dict[Node, int],
    lowest: dict[Node, int],
    waiting: list[Node],
    found: list[list[Node]],
) -> Callable[[Node], None]:
    def visit(node: Node) -> None:
        number[node] = lowest[node] = len(number)
        waiting.append(node)
        for other in graph[node]:
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in waiting:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            place = waiting.index(node)
            found.append(waiting[place:])
            del waiting[place:]

    return visit
