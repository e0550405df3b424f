"""`sidestep docs`: builds the site of these docs, and shows it to a browser on this machine."""

import functools
import importlib.util
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sidestep.scripts.shared.console import command, say
from sidestep.sequence.limits import between, check_fields

EXAMPLES = """\
  sidestep docs
  sidestep docs --port 9000
  sidestep docs --out site --no-serve --strict"""

PAGES = Path(__file__).resolve().parents[1] / "docs"
"""The pages, in a clone: an installation without one has the packages only."""
NEEDED = ("sphinx", "furo", "myst_parser", "latex2mathml")


@dataclass(frozen=True)
class Options:
    """Build the docs as a site with search, course and API, and serve it on localhost."""

    out: Path = Path("build/docs")
    """Folder of the site: a new or empty one, or a site built before."""
    port: int = 8000
    """Port on localhost; 0 takes a free one."""
    serve: bool = True
    """Whether to serve the site once it is built, until Ctrl-C."""
    strict: bool = False
    """Whether a warning ends the command with exit code 2."""

    def __post_init__(self) -> None:
        """Check the port."""
        check_fields(self, {"port": between(0, 65535)})


def run(options: Options) -> None:
    """Build, then serve."""
    check(options.out)
    with server(options) as serving:
        build(options.out, options.strict)
        say(f"Site: {options.out / 'index.html'}")
        if not options.serve:
            return
        say(f"Serving http://127.0.0.1:{serving.server_port} until Ctrl-C")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            say("Stopped")


def check(out: Path) -> None:
    """Raise ValueError where no site can be built, or not into that folder."""
    if not (PAGES / "conf.py").exists():
        raise ValueError(
            f"expected a clone of the repository installed with -e, got no docs in {PAGES.parent}"
        )
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(f"expected the extra `docs` to be installed, got no {missing[0]}")
    if out.exists() and not (out / ".buildinfo").exists():
        if not out.is_dir() or any(out.iterdir()):
            raise ValueError(f"out: expected an empty folder or a site built before, got {out}")


def build(out: Path, strict: bool = False) -> None:
    """Build the site; its doctrees go beside it, into a folder with the suffix `.cache`.

    Args:
        out: the folder.
        strict: warnings are errors.

    Raises:
        ValueError: the site could not be built; Sphinx has said why.
    """
    from sphinx.cmd.build import build_main

    cache = out.with_name(f"{out.name}.cache")
    flags = ["-q", "-n", *(["-W", "--keep-going"] if strict else []), "-d", str(cache)]
    if build_main([*flags, str(PAGES), str(out)]):
        raise ValueError("expected a site without warnings or errors, got those above")


def server(options: Options) -> ThreadingHTTPServer:
    """A server of the folder, on a port that it has taken; it answers once it is told to.

    Raises:
        ValueError: the port is taken.
    """
    handler = functools.partial(Quiet, directory=str(options.out))
    port = options.port if options.serve else 0
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ValueError(f"port: expected a free one, got {port}: {error.strerror}") from None


class Quiet(SimpleHTTPRequestHandler):
    """Answers without a line in the console for each."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


main = command("docs", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
