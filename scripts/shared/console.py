"""What every command shares: flags from dataclasses, tables, progress, errors on one line."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import gymnasium as gym
import tyro
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sidestep.scripts.shared.examples import examples_note, with_examples
from sidestep.scripts.shared.modules import import_modules, import_noted, without_modules
from sidestep.scripts.shared.numbers import numbers
from sidestep.scripts.shared.numbers import whole_number as whole_number
from sidestep.scripts.shared.words import did_you_mean as did_you_mean
from sidestep.scripts.shared.words import first_word

T = TypeVar("T")

UNSEEN = {
    **{code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"},
    **{0x7F: "\u2421", **dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), "\ufffd")},
}
"""Signs for the characters that a terminal obeys, or that no output can hold."""


def visible(text: str) -> str:
    """Text that a terminal shows and never obeys: ESC is written as its sign, and so on.

    All that comes from files, file names and ids passes through here on its way to a terminal.
    """
    return text.translate(UNSEEN)


class Output(Console):
    """Standard output, as commands write to it: words as they are, whatever they hold.

    Square brackets are no markup and `:smile:` no picture: names of files, runs and envs are the
    user's. Once nobody reads any more (`sidestep train ... | head -1`), nothing is written, and
    the work goes on to its end.
    """

    def __init__(self) -> None:
        """Write to whatever `sys.stdout` is by then."""
        super().__init__(markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Read a string as text; see `visible`."""
        return super().render_str(visible(text), **options)

    def render(self, *args: Any, **options: Any) -> Iterator[Segment]:
        """Make segments of anything that can be shown; see `visible`."""
        for text, style, control in super().render(*args, **options):
            yield Segment(text if control else visible(text), style, control)

    def _check_buffer(self) -> None:
        """Write what is due; a full disk under standard output is told, and ends no training."""
        try:
            super()._check_buffer()
        except OSError as error:
            reason = error.strerror or error
            print(f"standard output: {reason}; the work goes on unseen", file=sys.stderr)
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Send all further words nowhere."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError):  # a standard output without a file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    def say(self, words: str) -> None:
        """Write a line, however long: a path in it can be copied."""
        self.print(words, soft_wrap=True)


console = Output()
say = console.say


def warn(words: str | None) -> None:
    """Write a line to standard error; None: nothing."""
    if words is not None:
        print(visible(words), file=sys.stderr)


USER_ERRORS = (ValueError, TypeError, OSError, gym.error.Error)
"""What wrong input raises; anything else is a fault of ours and keeps its traceback."""


def parse(
    config: type[T],
    command: str,
    args: list[str] | None,
    examples: str | Callable[[], str],
    default: T | None = None,
) -> T:
    """Read `args` into `config`, a dataclass whose fields become flags, `--modules` imported.

    Args:
        config: the dataclass whose fields are the flags.
        command: the words after `sidestep`, for the usage line.
        args: the words after the command; None reads `sys.argv`.
        examples: shown at the end of `--help`, as written; or what makes them once the modules are
            imported.
        default: an instance whose values replace the defaults.
    """
    args = sys.argv[1:] if args is None else args
    import_modules(args)
    if "modules" not in config.__dataclass_fields__:  # type: ignore[attr-defined]
        args = without_modules(args)
    args = with_examples(args, config)
    description = (config.__doc__ or "").strip() + examples_note(config)
    examples = examples() if callable(examples) else examples
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), offered(config):
            return tyro.cli(
                config,
                prog=f"sidestep {command}",
                description=f"{description}\n\nExamples:\n{examples}",
                args=args,
                default=tyro.MISSING_NONPROP if default is None else default,
                registry=numbers(),
            )
    except BrokenPipeError:  # nobody reads the help
        raise SystemExit(0) from None
    except SystemExit as stop:
        if stop.code:
            parted = _parted(args)
            if parted:  # tyro finds what was meant for --flag value only
                return parse(config, command, parted, examples, default)
            raise ValueError(_one_line(said.getvalue())) from None
        raise


Main = Callable[..., None]
"""A command's entry: takes its words, or none to read `sys.argv`."""


def command(
    name: str, flags: type[T], run: Callable[[T], object], examples: str | Callable[[], str]
) -> Main:
    """Make the `main` of a command with flags.

    Args:
        name: the words after `sidestep`.
        flags: a dataclass whose fields are the flags.
        run: does it.
        examples: as of `parse`.
    """

    def main(args: list[str] | None = None) -> None:
        guarded(name, lambda: run(parse(flags, name, args, examples)))

    return main


def command_of_actions(
    name: str, actions: Mapping[str, tuple[Any, Callable[[Any], object]]], examples: str
) -> Main:
    """Make the `main` of a command whose first word is an action, or asks for help.

    Where the action's flags name a `run` or `runs`, the modules that this notes are imported first.

    Args:
        name: the word after `sidestep`.
        actions: of each action its name, the dataclass of its flags, and what is run with them.
        examples: shown at the end of `--help`, as written.
    """
    usage = f"usage: sidestep {name} {{{','.join(actions)}}} [options]\n\nExamples:\n{examples}"

    def run(args: list[str]) -> None:
        word = first_word(args, actions, "an action", usage)
        if word is not None:
            flags, action = actions[word]
            options: Any = parse(flags, f"{name} {word}", args[1:], examples)
            for run in getattr(options, "runs", (getattr(options, "run", None),)):
                if isinstance(run, Path):
                    import_noted(run)
            action(options)

    def main(args: list[str] | None = None) -> None:
        words = sys.argv[1:] if args is None else args
        guarded(name, lambda: run(words))

    return main


@contextlib.contextmanager
def offered(config: type[Any]) -> Iterator[None]:
    """While it lasts, fields that take a table's names say so in their annotations.

    tyro shows and checks the choices of a `Literal` alone; a table may have grown since the class
    was made. A class names such fields in `choices`.

    Args:
        config: the dataclass whose fields, and theirs, become flags.
    """
    before = []
    for kind in _dataclasses_in(config):
        for name, names in vars(kind).get("choices", {}).items():
            known = tuple(names() if callable(names) else names)
            annotation = kind.__annotations__[name]
            before.append((kind.__annotations__, name, annotation))
            one = annotation is str
            kind.__annotations__[name] = (
                Literal[known] if one else Annotated[annotation, some_of(known)]
            )
    try:
        yield
    finally:
        for annotations, name, annotation in before:
            annotations[name] = annotation


def _dataclasses_in(config: type[Any]) -> set[type[Any]]:
    """A dataclass, those that it stands on, and those that its fields are of."""
    found, waiting = set[type[Any]](), [config]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and is_dataclass(kind) and kind not in found:
            found.add(kind)
            hints = get_type_hints(kind)
            waiting += [hints[field.name] for field in fields(kind)]
            waiting += kind.__bases__
    return found


def some_of(names: Iterable[str]) -> Any:
    """How `--help` shows a flag that takes some of these names, for `Annotated`."""
    return tyro.conf.arg(metavar=f"[{{{','.join(names)}}} ...]")


BOX = str.maketrans({chr(code): "-" for code in range(0x2500, 0x2580)} | {"\u2502": "|"})
"""tyro's boxes in ASCII."""


def _one_line(text: str) -> str:
    """What tyro draws into a box, as one line: what is wrong, and which flags are close to it."""
    lines = [line.strip("|") for line in text.translate(BOX).splitlines()[1:]]  # below the title
    parts = [" ".join(" ".join(part).split()) for part in _between_rules(lines)]
    words = parts[0]
    choice = re.match(r"invalid choice (.+) for argument '(.+)'. Expected one of \((.*)\)", words)
    if choice:
        got, flag, known = choice[1].strip("'"), choice[2], re.findall(r"'([^']*)'", choice[3])
        optional = "None" in known  # tyro keeps such choices in no order
        known = sorted({*known} - {"None"}) if optional else known
        words = f"{flag}: expected one of {', '.join(known)}{' or None' * optional}, got {got!r}"
        return words + did_you_mean(got, known)
    said = re.split(r"Argument helptext|For full helptext", " ".join(parts))[0].strip()
    either = re.search(r"parsing (--[\w-]+): no type matching .*: (expected .*), (got .*)$", said)
    if either:
        return f"{either[1]}: {either[2]} or None, {either[3]}"
    close = re.findall(r"^ {5,}(--[\w-]+)", "\n".join(lines), re.M)
    if words.startswith("Unrecognized options") and close:
        words += f" (did you mean {' or '.join(dict.fromkeys(close[:3]))}?)"
    return re.sub(r"^Error parsing ([\w.-]+): ", _name, words)


def _parted(args: list[str]) -> list[str]:
    """The words with `--flag=value` in two; none where no word is like that."""
    if not any(re.match(r"--[\w-]+=", word) for word in args):
        return []
    return [
        part
        for word in args
        for part in (word.split("=", 1) if re.match(r"--[\w-]+=", word) else [word])
    ]


def _between_rules(lines: list[str]) -> list[list[str]]:
    """The lines, parted where one holds a rule or nothing."""
    parted = groupby(lines, lambda line: bool(line.strip(" -")))
    return [list(part) for inked, part in parted if inked]


def _name(found: re.Match[str]) -> str:
    """The flag before what is wrong with it; of a dataclass nothing: its words name a field."""
    return f"{found[1]}: " if found[1].startswith("--") else ""


def guarded(command: str, action: Callable[[], object]) -> None:
    """Run `action`; wrong input ends with one line on stderr and exit code 2, Ctrl-C with 130.

    `SIDESTEP_TRACEBACK=1` shows the traceback instead.
    """
    try:
        with _interruptions():
            action()
    except KeyboardInterrupt:
        print(f"sidestep {command}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except USER_ERRORS as error:
        if os.environ.get("SIDESTEP_TRACEBACK"):
            raise
        line = " ".join(str(error).split()) or type(error).__name__
        print(visible(f"sidestep {command}: {line}"), file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise
        print(visible(stop.code), file=sys.stderr)
        raise SystemExit(2) from None
    except (MemoryError, RuntimeError) as error:
        if os.environ.get("SIDESTEP_TRACEBACK") or not _is_memory(error):
            raise
        line = "expected sizes that fit the memory, got more than there is"
        print(f"sidestep {command}: {line}", file=sys.stderr)
        raise SystemExit(2) from None


def _is_memory(error: Exception) -> bool:
    """Whether an allocation failed; torch has no type of its own for that on a CPU."""
    words = (
        "can't allocate memory",
        "not enough memory",
        "out of memory",
        "calculation overflowed",
    )
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


@contextlib.contextmanager
def _interruptions() -> Iterator[None]:
    """Raise what Ctrl-C raises where it is at the bottom of an error: compilers raise their own."""
    try:
        yield
    except BaseException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, KeyboardInterrupt | SystemExit):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, KeyboardInterrupt) and cause is not error:
            raise KeyboardInterrupt from error
        raise


def check_folder(path: Path | None, flag: str) -> None:
    """Refuse a file whose folder is not there, before the work and not after it.

    Raises:
        FileNotFoundError: the folder is not there.
        IsADirectoryError: the file is a folder.
    """
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(f"{flag}: expected a folder that is there, got {path.parent}")
    if path is not None and path.is_dir():
        raise IsADirectoryError(f"{flag}: expected a file's name, got the folder {path}")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A rich table: first column left, figures right; square brackets are no markup."""
    result = Table(title=Text(visible(title), style="table.title"), title_justify="left")
    for number, column in enumerate(columns):
        result.add_column(
            Text(visible(column)), justify="left" if number == 0 else "right", overflow="fold"
        )
    for row in rows:
        add_row(result, row)
    return result


def add_row(to: Table, row: Sequence[str]) -> None:
    """Add a row to a table of `table`; square brackets are no markup."""
    to.add_row(*[Text(visible(cell)) for cell in row])


def progress(*extra: str, transient: bool = False) -> Progress:
    """A progress bar with time left; `extra` are format strings over the task's fields.

    A transient one leaves nothing behind.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        *(TextColumn(text, markup=False) for text in extra),
        console=console,
        transient=transient,
    )
