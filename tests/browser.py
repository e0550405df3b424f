"""A headless Chromium, driven over a pipe in its DevTools protocol: no other package is needed."""

import base64
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--hide-scrollbars", "--mute-audio", "--remote-debugging-pipe"),
)


def executable() -> str | None:
    """Path of a Chromium on this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser(folder: Path) -> Iterator["Page"]:
    """Start a browser with an empty profile in `folder`, give its one page, and end it."""
    import fcntl  # where there is no fork, there is no fcntl

    program = executable()
    assert program is not None, "expected a Chromium, got none: ask executable() before"
    words = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    (theirs, to), (back, answers) = os.pipe(), os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs, answers)]
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, moved[0], 3)]  # it reads 3, writes 4
    actions.append((os.POSIX_SPAWN_DUP2, moved[1], 4))
    actions += [(os.POSIX_SPAWN_OPEN, out, os.devnull, os.O_WRONLY, 0) for out in (1, 2)]
    process = os.posix_spawn(program, words, os.environ, file_actions=actions)
    for end in (theirs, answers, *moved):
        os.close(end)
    with os.fdopen(to, "wb", buffering=0) as requests, os.fdopen(back, "rb") as replies:
        try:
            yield Page(requests.write, replies.read1)
        finally:
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)


class Page:
    """One page of the browser, what it asked for and what it complained of.

    Attributes:
        requests: addresses asked for since the last `open`.
        complaints: errors on the console, uncaught exceptions and failed requests since then.
    """

    def __init__(self, write: Callable[[bytes], Any], read: Callable[[], bytes]) -> None:
        self.write, self.read = write, read
        self.left = b""
        self.number = 0
        self.session: str | None = None
        self.events: list[str] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one request and wait for its answer; what happens meanwhile is noted."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if self.session is not None:
            message["sessionId"] = self.session
        self.write(json.dumps(message).encode() + b"\0")
        while (answer := self.next()).get("id") != number:
            self.note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]  # type: ignore[no-any-return]

    def next(self) -> dict[str, Any]:
        """The browser's next message."""
        while b"\0" not in self.left:
            more = self.read()
            assert more, "expected a message from the browser, got its end"
            self.left += more
        one, _, self.left = self.left.partition(b"\0")
        return json.loads(one)  # type: ignore[no-any-return]

    def note(self, message: dict[str, Any]) -> None:
        """Keep what an event tells of."""
        method, params = message.get("method", ""), message.get("params", {})
        self.events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.loadingFailed" and not params.get("canceled"):
            self.complaints.append(f"request failed: {params['errorText']}")
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", str(details)))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(str([arg.get("value") for arg in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    def open(self, address: str) -> None:
        """Load an address, and wait until it and all of its pictures are there."""
        self.events.clear()
        self.requests.clear()
        self.complaints.clear()
        self.ask("Page.navigate", url=address)
        self.loaded()

    def loaded(self) -> None:
        """Wait until a page is there with all of its pictures."""
        while "Page.loadEventFired" not in self.events:
            self.note(self.next())

    def run(self, expression: str) -> Any:
        """The value of an expression in JavaScript; a promise is waited for."""
        found = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = 60) -> Any:
        """Wait until an expression is true, frame by frame, and give its value."""
        return self.run(
            "new Promise((found, failed) => { const start = performance.now();"
            f" const look = () => {{ const value = ({expression}); if (value) found(value);"
            f" else if (performance.now() - start > {seconds * 1000})"
            f" failed(new Error('never: ' + {json.dumps(expression)}));"
            " else setTimeout(look, 20); }; look(); })"
        )

    def type(self, text: str) -> None:
        """Type text where the cursor is."""
        self.ask("Input.insertText", text=text)

    def submit(self) -> None:
        """Press Enter where the cursor is, and wait for the page that follows."""
        self.events.clear()
        self.press("Enter", 13)
        self.loaded()

    def press(self, key: str, code: int) -> None:
        """Press one key, such as Enter (13)."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def show(self, width: int, height: int, scheme: str = "light") -> None:
        """Give the page a size in pixels and a colour scheme, light or dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
