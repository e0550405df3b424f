"""Who imports whom, what the wheel holds, and how long a file may be."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "envs", "scripts", "sequence")
MAY_IMPORT = {
    "envs": set(),
    "sequence": set(),
    "agents": {"sequence"},
    "scripts": set(PACKAGES),
}
ORDER = {
    "envs": (
        "rules",
        "files",
        "levels",
        "observations",
        "arguments",
        "config",
        "specs",
        "world",
        "drawing",
        "solver",
        "env",
        "attributes",
        "vector_env",
        "checker",
        "recall",
        "registration",
        "notebook",
    ),
    "sequence": (
        "limits",
        "state",
        "chunks",
        "devices",
        "pictures",
        "arguments",
        "fitting",
        "layers",
        "memory",
        "tasks",
        "models",
    ),
    "agents": (
        "settings",
        "environments",
        "acting",
        "traits",
        "networks",
        "algorithms",
        "training",
        "reports",
        "runs",
        "insight",
        "player",
        "models",
    ),
    "scripts": (
        "shared",
        "figures",
        "viewer",
        "sequences",
        "studies",
        "benches",
        "gating",
        "course",
        "flows",
        "shapes",
        "watching",
        "gates",
        "gradients",
        "levels",
        "lm",
        "translate",
        "caption",
        "forecast",
        "solve",
        "train",
        "evaluate",
        "table",
        "watch",
        "record",
        "examples",
        "play",
        "sweeps",
        "sweep",
        "bench",
        "check",
        "docs",
        "cli",
    ),
}
"""The rooms of a package, folders and single files, from the ground up: each stands on those before
it and knows none of those after it."""

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
EVERY_FILE = [*FILES, *sorted((ROOT / "tests").rglob("*.py"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Every absolute module that a file imports, and whether that happens when it is loaded."""
    return tuple(_imports(tree_of(path)))


def _imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        on_load = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, on_load
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module or "", on_load
            if node.module == "sidestep" and node.level == 0:
                yield from ((f"sidestep.{alias.name}", on_load) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_direction(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for module, _ in imports(path):
        if module.startswith("sidestep."):
            other = module.split(".")[1]
            assert other == package or other in MAY_IMPORT[package], module


@pytest.mark.parametrize("path", FILES, ids=name)
def test_relative_imports_stay_in_their_package(path: Path) -> None:
    depth = len(path.relative_to(ROOT).parts) - 1
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= depth, ast.unparse(node)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_heavy_imports_are_where_they_belong(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    drawing = path.relative_to(ROOT).parts[:2] == ("envs", "drawing")
    for module, on_load in imports(path):
        top = module.split(".")[0]
        if top == "pygame" and not drawing:
            assert package == "scripts" or not on_load, f"{module} on import"
        if package == "envs":
            assert top != "torch"
        if package in ("agents", "sequence"):
            assert top not in ("pygame", "tyro", "rich", "matplotlib", "imageio"), module


def inner_imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every file of its own package that a file imports, as `room/file`, and whether on load."""
    package, *folders = path.relative_to(ROOT).parts[:-1]
    tree = tree_of(path)
    on_load = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = ["sidestep", package, *folders]
        start = base[: len(base) - node.level + 1] if node.level else []
        target = [*start, *(node.module or "").split(".")] if node.module else start
        for alias in node.names:
            for parts in ([*target, alias.name], target):
                file = ROOT.joinpath(*parts[1:]).with_suffix(".py")
                if parts[:2] == ["sidestep", package] and len(parts) > 2 and file.is_file():
                    yield "/".join(parts[2:]), id(node) in on_load
                    break


@pytest.mark.parametrize("package", ORDER)
def test_every_room_is_in_the_order(package: str) -> None:
    files = [path.relative_to(ROOT / package) for path in (ROOT / package).rglob("*.py")]
    rooms = {path.parts[0].removesuffix(".py") for path in files}
    assert rooms - {"__init__"} == set(ORDER[package])


@pytest.mark.parametrize("path", FILES, ids=name)
def test_rooms_stand_on_what_is_below_them(path: Path) -> None:
    package, room = path.relative_to(ROOT).parts[:2]
    order = ORDER.get(package, ())
    if room.removesuffix(".py") not in order:  # the package's face
        return
    floor = order.index(room.removesuffix(".py"))
    for target, _ in inner_imports(path):
        assert order.index(target.split("/")[0]) <= floor, target


def test_only_drawing_imports_drawing() -> None:
    """`import sidestep.envs` must not reach pygame through a file of its own."""
    for path in sorted((ROOT / "envs").rglob("*.py")):
        if "drawing" not in path.parts:
            for target, on_load in inner_imports(path):
                assert not (on_load and target.startswith("drawing/")), f"{path}: {target}"


@pytest.mark.parametrize("path", EVERY_FILE, ids=name)
def test_files_stay_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 460, f"{lines} lines: two ideas, two files?"


def test_no_paths_of_one_machine() -> None:
    """Nothing that is shipped or documented names a folder of somebody's computer."""
    pages = [ROOT / "README.md", ROOT / "pyproject.toml", *(ROOT / "docs").rglob("*.md")]
    pattern = re.compile(r"(?<![\w.<])/(?:work|home|root|Users|tmp/venv)/")
    for path in [*FILES, *pages, *(ROOT / "docs").rglob("*.json")]:
        found = pattern.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{name(path)}: {found}"


@pytest.mark.slow
def test_wheel_holds_the_package_only(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source, out = tmp_path / "source", tmp_path / "out"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs")
    shutil.copytree(ROOT, source, ignore=ignored)
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    out.mkdir()
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {path for path in archive.namelist() if not path.endswith("/")}
    tops = {path.split("/")[0] for path in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sidestep"}
    assert len(tops) == 2
    python = {f"sidestep/{name(path)}" for path in FILES}
    typed = {f"sidestep/{package}/py.typed" for package in PACKAGES}
    maps = {f"sidestep/{name(path)}" for path in (ROOT / "envs" / "levels").glob("*.txt")}
    assert len(maps) > 11
    folder = ROOT / "scripts" / "data"
    runs = (path for path in (folder / "examples").rglob("*") if path.is_file())
    files = [folder / file for file in ("sunspots.csv", "chat.tsv", "player.html")]
    data = {f"sidestep/{name(path)}" for path in (*files, *runs)}
    assert len(data) > 10
    assert {path for path in held if path.startswith("sidestep/")} == python | typed | maps | data


PAGE = ROOT / "docs" / "architecture.md"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_shows_every_room(package: str) -> None:
    """The tree of docs/architecture.md, in the order of imports."""
    tree = re.search(rf"^{package}/ .*\n((?:  .*\n)+)", PAGE.read_text(encoding="utf-8"), re.M)
    assert tree is not None
    shown = [line.split()[0] for line in tree[1].splitlines()]
    held = {f"{p.name}/" for p in (ROOT / package).iterdir() if any(p.rglob("*.py"))}
    held |= {p.name for p in (ROOT / package).glob("*.py")} - {"__init__.py"}
    assert set(shown) - {"data/"} == held
    order = [name.removesuffix("/").removesuffix(".py") for name in shown if name != "data/"]
    assert order == list(ORDER[package])


def test_files_on_the_page_exist() -> None:
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 30
    for file in named:
        assert (ROOT / file).is_file(), file
