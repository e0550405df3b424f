"""What is said before anything heavy is imported: hints, and pages on standard output."""

import difflib
import importlib
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Words for the end of an error: ` (did you mean x?)`, or none where nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def first_word(args: Sequence[str], known: Collection[str], what: str, usage: str) -> str | None:
    """Read which sub-command is meant; None where help was asked for, which is told.

    Args:
        args: the words after the command.
        known: the sub-commands.
        what: one of them, for the error: "an action".
        usage: the page of help.

    Raises:
        ValueError: none of them, or no word at all.
    """
    if args and args[0] in ("-h", "--help"):
        tell(usage)
        return None
    if args and args[0] in known:
        return args[0]
    got = f"{args[0]!r}{did_you_mean(args[0], known)}" if args else "none"
    raise ValueError(f"expected {what} ({', '.join(known)}), got {got}")


def listed(known: Mapping[str, str]) -> str:
    """Sub-commands and what they do, a line each."""
    return "\n".join(f"  {name:<10} {text}" for name, text in known.items())


def run_named(
    command: str, args: Sequence[str], known: Mapping[str, str], what: str, usage: str, package: str
) -> None:
    """Run the `main` of the module that the first word names; exit code 2 where there is none.

    Args:
        command: the words before, for the error.
        args: the words after it.
        known: modules of the package, and what they do.
        what: one of them, for the error: "a bench".
        usage: the page of help.
        package: in which the modules are.
    """
    try:
        word = first_word(args, known, what, usage)
    except ValueError as error:
        print(f"{command}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    if word is not None:
        importlib.import_module(f"{package}.{word}").main(args[1:])


def tell(words: str) -> None:
    """Write a page to standard output, whoever reads it; on a full disk the exit code is 2."""
    try:
        print(words)
    except BrokenPipeError:
        pass
    except OSError as error:
        print(f"sidestep: standard output: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
