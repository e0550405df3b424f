"""What is said before anything heavy is imported: hints, and pages on standard output."""

import difflib
import sys
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Words for the end of an error: ` (did you mean x?)`, or none where nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def tell(words: str) -> None:
    """Write a page to standard output, whoever reads it; on a full disk the exit code is 2."""
    try:
        print(words)
    except BrokenPipeError:
        pass
    except OSError as error:
        print(f"sidestep: standard output: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
