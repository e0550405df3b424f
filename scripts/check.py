"""`sidestep check`: a reader's functions of the course beside ours, with hints."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.cells import cell_len

from sidestep.scripts.course.chapters import CHAPTERS
from sidestep.scripts.course.checking import Problem, Report, Verdict, check
from sidestep.scripts.course.exercise import Chapter
from sidestep.scripts.course.languages import Language, words
from sidestep.scripts.course.values import Row, Value, value_of, words_for
from sidestep.scripts.shared.console import check_folder, command, say

EXAMPLES = """\
  sidestep check
  sidestep check 03 --template my_gradients.py
  sidestep check 03 my_gradients.py
  sidestep check 03 my_gradients.py --lang ko"""


@dataclass(frozen=True)
class Options:
    """Compare the functions of a file of yours with those that a chapter of the course asks for.

    Without a chapter, list all chapters and their functions. The file is run in a process of its
    own, and nothing in it is changed. The exit code is 0 where all is right, 1 where something is
    wrong, and 2 for wrong words in the command.
    """

    chapter: Annotated[str | None, tyro.conf.Positional] = None
    """The chapter's number: 01 to 12."""
    file: Annotated[Path | None, tyro.conf.Positional] = None
    """Your file."""
    template: bool = False
    """Write the file, with the functions' signatures, in the place of checking it; never over one
    that is there."""
    lang: Language = "en"
    """Of hints and words: en or ko."""
    seconds: float = 20.0
    """That the file, and each call of a function, may take."""

    def __post_init__(self) -> None:
        """Check that the chapter is one, and that there is a file."""
        if self.chapter is not None and self.chapter.zfill(2) not in CHAPTERS:
            known = f"{min(CHAPTERS)} to {max(CHAPTERS)}"
            raise ValueError(f"chapter: expected {known}, got {self.chapter}")
        if self.chapter is not None and self.file is None:
            raise ValueError("file: expected a Python file, got none")
        if self.chapter is None and self.template:
            raise ValueError("template: expected a chapter and a file's name, got none")
        if not 0 < self.seconds <= 3600:
            raise ValueError(f"seconds: expected more than 0 and at most 3600, got {self.seconds}")


def run(options: Options) -> None:
    """List, write a template, or check."""
    if options.chapter is None:
        _list(options.lang)
        return
    number, file = options.chapter.zfill(2), options.file
    assert file is not None
    chapter = CHAPTERS[number]
    if options.template:
        write_template(chapter, file)
        then = f"sidestep check {number} {file}"
        say(words("written", options.lang, file=file, then=then))
        return
    if not file.is_file():
        what = "a folder" if file.is_dir() else "nothing"
        raise FileNotFoundError(f"file: expected a Python file, got {what} at {file}")
    torch.set_num_threads(1)
    report = check(file, number, options.seconds)
    for line in lines(report, chapter, number, file, options):
        say(line)
    if not report.right:
        raise SystemExit(1)


def _list(language: Language) -> None:
    say(words("list", language))
    for number, chapter in CHAPTERS.items():
        say(f"\n{number}  {title(chapter, language)}")
        for exercise in chapter.exercises:
            say(f"    {exercise.signature()}")


def title(chapter: Chapter, language: Language) -> str:
    """A chapter's title in a language."""
    return chapter.korean if language == "ko" else chapter.title


def write_template(chapter: Chapter, file: Path) -> None:
    """Write a file with the chapter's signatures.

    Raises:
        FileExistsError: there is something of that name.
    """
    check_folder(file, "file")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise FileExistsError(f"file: expected a new one, got {file}, which is there") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(chapter.template())


def lines(report: Report, chapter: Chapter, number: str, file: Path, options: Options) -> list[str]:
    """The report in lines of a language."""
    language = options.lang
    found = [f"{number} {title(chapter, language)}: {file}", ""]
    if report.broken is not None:
        found.append(words("broken", language, file=file.name))
        found.append(f"  {in_words(report.broken, file, options)}{_source(report.broken, file)}")
    width = max(len(exercise.name) for exercise in chapter.exercises)
    for place, verdict in enumerate(report.verdicts):
        found += [""] * (place > 0)
        found += _verdict(verdict, width, file, options)
    if report.printed:
        shown = report.printed.splitlines()[:20]
        found += ["", words("says", language), *(f"  {line}" for line in shown)]
    if report.right:
        found += ["", words("all", language)]
    return found


def _verdict(verdict: Verdict, width: int, file: Path, options: Options) -> list[str]:
    language, problem = options.lang, verdict.problem
    name, inputs = verdict.exercise.name.ljust(width), len(verdict.exercise.inputs())
    if problem is None:
        found = [f"{name}  {words('right', language, inputs=inputs)}"]
        if verdict.changes:
            changes = ", ".join(verdict.changes)
            found.append(f"  {words('changes', language, names=changes)}")
        return found
    if problem.number is None:
        return [f"{name}  {in_words(problem, file, options)}{_source(problem, file)}"]
    count = words("wrong", language, right=verdict.right, inputs=inputs)
    found = [f"{name}  {count}", f"  {words('case', language, number=problem.number + 1)}"]
    given = verdict.exercise.inputs()[problem.number]
    rows = [
        (argument, words_for(value_of(value)) if not callable(value) else repr(value))
        for argument, value in zip(verdict.exercise.arguments, given, strict=True)
    ]
    parts = verdict.exercise.parts
    expected = value_of(verdict.exercise.answer(*given))
    rows.append((words("expected", language), _with_parts(expected, parts)))
    if problem.got is not None:
        rows.append((words("got", language), _with_parts(problem.got, parts)))
    column = max(cell_len(label) for label, _ in rows)  # Hangul takes two places
    found += [f"    {label}{' ' * (column - cell_len(label))}  {text}" for label, text in rows]
    found.append(f"  {in_words(problem, file, options)}{_source(problem, file)}")
    if verdict.hint is not None:
        hint = verdict.hint.korean if language == "ko" else verdict.hint.hint
        found.append(f"  {words('hint', language)}: {hint}")
    return found


def _with_parts(value: Value, parts: tuple[str, ...]) -> str:
    """A value in words, with the names of its parts where it is a tuple of them."""
    if not isinstance(value, Row) or len(value.items) != len(parts):
        return words_for(value)
    pairs = zip(parts, value.items, strict=True)
    return ", ".join(f"{part} {words_for(item)}" for part, item in pairs)


def in_words(problem: Problem, file: Path, options: Options) -> str:
    """A problem in one line, which points at the file's own line where there is one."""
    language, details = options.lang, dict(problem.details)
    line, place = details.get("line"), details.get("place")
    where = "" if line is None else words("line", language, line=line, file=file.name)
    shown = (
        words("place", language, place=list(place)) if isinstance(place, tuple) and place else ""
    )
    part = words("part", language, part=details["part"]) if "part" in details else ""
    filled = {**details, "where": where, "place": shown, "seconds": options.seconds}
    return part + words(problem.kind, language, **filled)


def _source(problem: Problem, file: Path) -> str:
    """The line that a problem points at, as it stands in the file."""
    number = problem.details.get("line")
    if not isinstance(number, int):
        return ""
    try:
        text = file.read_text(encoding="utf-8", errors="replace").splitlines()[number - 1].strip()
    except (OSError, IndexError):
        return ""
    return f"\n    {text[:90]}" if text else ""


main = command("check", Options, run, EXAMPLES)
