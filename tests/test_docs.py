"""Every python block of README.md and docs/*.md runs, in order, in one namespace a page."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .extending.registries import kept

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "envs", "scripts", "sequence")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")])
BLOCK = re.compile(r"^```python([^\n]*)\n(.*?)^```", re.M | re.S)
EXERCISE = "exercise"
"""The word after python of a signature that the reader fills; tests/test_course.py knows them."""


def blocks(text: str, package: str = "") -> list[tuple[int, str]]:
    """Line number and code of each block; of those that need a package, which stands beside."""
    found = [m for m in BLOCK.finditer(text) if m[1].strip() == package]
    return [(text[: m.start(2)].count("\n"), m[2]) for m in found]


def run(page: Path, package: str = "") -> None:
    """Run the blocks of a page, in order, in one namespace."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with kept():
        for line, code in blocks(page.read_text(encoding="utf-8"), package):
            source = "\n" * line + code  # a failure shows the page's own line
            exec(compile(source, str(page), "exec"), namespace)


RUN = [page for page in PAGES if "ko" not in page.parent.parts]
"""The course's pages in Korean have the code of the English ones: tests/test_course.py."""


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(page)


OTHERS = [
    (page, package)
    for page in PAGES
    for package in sorted(
        {m[1].strip() for m in BLOCK.finditer(page.read_text("utf-8"))} - {"", EXERCISE}
    )
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("page", "package"), OTHERS, ids=lambda x: getattr(x, "name", x))
def test_python_blocks_with_other_packages_run(
    page: Path, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    run(page, package)


def test_blocks_are_found() -> None:
    text = "a\n```python\nx = 1\n```\n```bash\nls\n```\n```python\ny = 2\n\nz = 3\n```\n"
    assert blocks(text) == [(2, "x = 1\n"), (8, "y = 2\n\nz = 3\n")]
    assert blocks(text.replace("python", "python other", 1), "other") == [(2, "x = 1\n")]
    assert (ROOT / "docs" / "learning.md", "minigrid") in OTHERS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


def test_what_is_told_to_install_can_be_installed() -> None:
    """The package is on no index: extras come from the clone, and errors name what is missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    packages = {line.split(">=")[0] for lines in extras.values() for line in lines}
    code = [path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]
    told: set[str] = set()
    for path in [*PAGES, ROOT / "CONTRIBUTING.md", *code]:
        for line in re.findall(r"pip install ([^`#\n]*)", path.read_text(encoding="utf-8")):
            words = line.split("&&")[0]
            assert "sidestep" not in words, f"{path}: {words}"
            told |= set(re.findall(r"\.\[(\w+)\]", words))
            if path in code:
                assert words.strip(" \"')") in packages, f"{path}: {words}"
    assert told <= extras.keys() and {"text", "video", "dev"} <= told
    used = told | {"bench", "tensorboard"}
    assert extras.keys() == used, "an extra that no page tells of"
