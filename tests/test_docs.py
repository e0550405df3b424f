"""Every python block of README.md and docs/*.md runs, in order, in one namespace a page."""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts import cli
from sidestep.scripts.cli import COMMANDS

from .extending.registries import kept

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "envs", "scripts", "sequence")
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]
PAGES = sorted([*READMES, *(ROOT / "docs").glob("**/*.md")])
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


def held(page: Path) -> dict[str, list[Any]]:
    """What a README says in no language: code, commands, links, figures, the table's numbers."""
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"^```(.*?)^```", text, re.M | re.S)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    rows = [line for line in prose.splitlines() if line.startswith("|")]
    return {
        "code": code,
        "spans": sorted(re.findall(r"`([^`]+)`", prose)),
        "links": sorted(t for t in re.findall(r"\]\(([^)]+)\)", prose) if "README" not in t),
        "headings": re.findall(r"^#+ ", prose, re.M),
        "cells": [re.findall(r"\d[\d,.]*", line) for line in rows],
        "columns": [line.count("|") for line in rows],
        "numbers": sorted(Counter(re.findall(r"\d[\d,]*(?:\.\d+)?", prose)).items()),
    }


def test_both_readmes_say_the_same() -> None:
    """In Korean as in English; whoever changes one of them is told what the other lacks."""
    english, korean = (held(page) for page in READMES)
    for what, found in english.items():
        assert korean[what] == found, what
    assert len(english["code"]) >= 4 and len(english["links"]) > 15 and len(english["cells"]) > 6
    tops = [page.read_text(encoding="utf-8").splitlines()[2] for page in READMES]
    assert tops == ["English | [한국어](README.ko.md)", "[English](README.md) | 한국어"]
    hangul = re.findall(r"[가-힣]", READMES[1].read_text(encoding="utf-8"))
    assert len(hangul) > 1000


def commands_in(page: Path) -> list[str]:
    """Every `sidestep` command of a page, in blocks and in text."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    spans = re.findall(r"`(sidestep [^`]+)`", text)
    lines = [part.strip() for block in blocks for part in re.split(r"&&|\n", block)]
    return [line for line in [*lines, *spans] if line.startswith("sidestep ")]


def test_commands_of_the_readme_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Each word is a command, and each flag stands in its help; the other README has the same."""
    found = commands_in(READMES[0])
    assert sorted(commands_in(READMES[1])) == sorted(found)
    assert len(found) >= 10
    for line in found:
        words = line.split()[1:]
        for command in [word for word in words if word != "|"] if "|" in words else words[:1]:
            assert command in COMMANDS, line
        flags = [word for word in words if word.startswith("--")]
        if flags:
            positional = words[: next(n for n, word in enumerate(words) if word.startswith("--"))]
            with pytest.raises(SystemExit):
                cli.main([*positional, "--help"])
            shown = capsys.readouterr().out
            for flag in flags:
                assert re.search(rf"{flag}\b", shown), f"{line}: {flag}"
