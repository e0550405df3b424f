"""The course: both languages say the same, and answers are what `sidestep check` calls right."""

import ast
import re
from pathlib import Path

import pytest

from sidestep.scripts.course.chapters import CHAPTERS as EXERCISES

COURSE = Path(__file__).resolve().parents[1] / "docs" / "course"
PAGES = [page.name for page in sorted((COURSE / "en").glob("*.md"))]
CHAPTERS = [name for name in PAGES if name != "index.md"]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.M | re.S)
HEADINGS = {
    "What is said": "핵심 내용",
    "Equation": "수식",
    "Code": "코드",
    "Command": "명령",
    "Picture": "그림",
    "Exercises": "연습 문제",
    "Where the notes differ": "노트와 다른 점",
}


def read(language: str, name: str) -> str:
    return (COURSE / language / name).read_text(encoding="utf-8")


def without_comments(code: str) -> str:
    """Python code as its syntax has it; other languages less their comments."""
    try:
        return ast.dump(ast.parse(code))
    except SyntaxError:
        return re.sub(r"\s*#.*", "", code)


def fences(text: str) -> list[tuple[str, str, str]]:
    return [
        (kind, word.strip(), without_comments(code) if kind == "python" else code)
        for kind, word, code in FENCE.findall(text)
    ]


def parts(text: str) -> dict[str, list[str]]:
    """What must be the same in both languages, by kind, in order."""
    prose = FENCE.sub("", text)
    return {
        "equations": re.findall(r"\$\$(.*?)\$\$", prose, re.S),
        "figures": re.findall(r"!\[[^\]]*\]\(([^)]+)\)", prose),
        "exercises": re.findall(r"^\*\*(\d)\.\*\*", prose, re.M),
        "statements": re.findall(r"^(\d)\. ", prose, re.M),
        "answers": re.findall(r"\]\((\.\./answers/[^)]+)\)", prose),
        "levels": re.findall(r"^(#+) ", prose, re.M),
    }


def test_both_languages_have_the_same_pages() -> None:
    assert [page.name for page in sorted((COURSE / "ko").glob("*.md"))] == PAGES
    assert [name[:2] for name in CHAPTERS] == [f"{n:02}" for n in range(1, 13)]


@pytest.mark.parametrize("name", PAGES)
def test_languages_share_code_commands_equations_figures_and_exercises(name: str) -> None:
    english, korean = read("en", name), read("ko", name)
    assert fences(english) == fences(korean)
    assert parts(english) == parts(korean)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_has_every_part_in_order(name: str) -> None:
    english = re.findall(r"^## (.*)$", FENCE.sub("", read("en", name)), re.M)
    korean = re.findall(r"^## (.*)$", FENCE.sub("", read("ko", name)), re.M)
    assert english == list(HEADINGS)
    assert korean == list(HEADINGS.values())
    found = parts(read("en", name))
    assert 3 <= len(found["statements"]) <= 9 and found["exercises"] == ["1", "2"]
    assert found["equations"] and found["figures"]
    assert found["answers"] == [f"../answers/{name[:2]}.py"]
    assert {kind for kind, _, _ in fences(read("en", name))} == {"python", "bash"}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_asks_for_what_is_checked(name: str, language: str) -> None:
    number, text = name[:2], read(language, name)
    chapter = EXERCISES[number]
    title = chapter.title if language == "en" else chapter.korean
    asked = [code for _, word, code in FENCE.findall(text) if word.strip() == "exercise"]
    assert text.startswith(f"# {title}\n")
    assert asked == [exercise.skeleton() for exercise in chapter.exercises]
    assert f"\nsidestep check {number} {chapter.file}\n" in text


ROW = re.compile(r"^\| (\d{3}) ([^|]*) \| (.*?) \| (\[.*?\)) \| (?:`(.*)`)? ?\|$", re.M)
LINK = re.compile(r"\[(\d+)(?:\.(\d+)| [^\]]+)\]\((en|ko)/([^)#]+)#([^)]+)\)")


def table(language: str) -> list[tuple[str, ...]]:
    name = {"en": "notes.md", "ko": "notes.ko.md"}[language]
    text = (COURSE / name).read_text(encoding="utf-8")
    rows = ROW.findall(text)
    assert len(rows) == len(re.findall(r"^\| \d", text, re.M)) > 140
    return rows


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_table_of_the_notes_leads_to_statements_and_commands(language: str) -> None:
    commands = {
        line
        for name in CHAPTERS
        for kind, _, code in fences(read(language, name))
        if kind == "bash"
        for line in code.splitlines()
    }
    for note, section, statement, places, command in table(language):
        links = LINK.findall(places)
        assert len(links) == len(places.split("), ")) and statement, (note, section)
        for chapter, number, tongue, page, anchor in links:
            text = read(tongue, page)
            assert tongue == language and page.startswith(f"{int(chapter):02}")
            assert not number or number in parts(text)["statements"], (note, section, places)
            slugs = [h.lower().replace(" ", "-") for h in re.findall(r"^## (.*)$", text, re.M)]
            assert anchor in slugs, (note, section, anchor)
        assert not command or command in commands, command


def test_the_table_says_the_same_in_both_languages() -> None:
    def places(language: str) -> list[tuple[object, ...]]:
        found = []
        for note, section, _, links, command in table(language):
            where = [link[:2] for link in LINK.findall(links)]
            found.append((note, section, where, command))
        return found

    assert places("en") == places("ko")
    assert {row[0] for row in places("en")} == {"000", "001", "002", "003", "004"}
