"""Headless Chromium, by the DevTools protocol over two pipes: no port, no further package."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # which the root account of a container cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
PATIENCE_S = 60.0  # on a machine that does other things, too
WIDE, PHONE = 1280, 390  # pixels
_TABLET = 600


class Browser:
    """A running Chromium; `start_browser` starts and ends it."""

    def __init__(self, reads: int, writes: int) -> None:
        """`reads` and `writes` are this end of its pipes."""
        self._reads, self._writes = reads, writes
        self._pending = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """A command's result; events that come in between are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while (answer := self._receive(PATIENCE_S)).get("id") != self._number:
            self._events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def events(self, session: str) -> list[dict[str, Any]]:
        """All that has come for a page so far."""
        return [event for event in self._events if event.get("sessionId") == session]

    def _receive(self, patience_s: float) -> dict[str, Any]:
        until = time.monotonic() + patience_s
        while b"\0" not in self._pending:
            if not select.select([self._reads], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("Chromium does not answer")
            if not (more := os.read(self._reads, 1 << 20)):
                raise RuntimeError("Chromium has ended")
            self._pending += more
        line, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


class Page:
    """A tab with one file in it, and no network."""

    def __init__(self, browser: Browser, path: Path, width: int, *, dark: bool) -> None:
        """Open the file and wait until it is loaded."""
        self._browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.send("Network.emulateNetworkConditions", offline=True, **nothing)
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844 if width < _TABLET else 800,
            deviceScaleFactor=1,
            mobile=width < _TABLET,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}  # nor is clicked what moves
        self.send("Emulation.setEmulatedMedia", features=[scheme, still])
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """A command of the DevTools protocol to this page."""
        return self._browser.send(method, self._session, **params)

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 (JSON)
        """What a JavaScript expression is, a promise's value in its place; JSON."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description"))
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression is true."""
        until = time.monotonic() + PATIENCE_S
        while not self.evaluate(condition):
            if time.monotonic() > until:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def middle(self, selector: str) -> tuple[float, float]:
        """Where an element is in the window, after scrolling there; pixels."""
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return x, y

    def mouse(self, kind: str, x: float, y: float) -> None:
        """A real pointer event: `mouseMoved`, `mousePressed` or `mouseReleased`."""
        pressed = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def click(self, selector: str) -> None:
        """On the middle of an element."""
        place = self.middle(selector)
        self.mouse("mousePressed", *place)
        self.mouse("mouseReleased", *place)

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key by its name and number: `ArrowRight`, 39."""
        names = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.send("Input.dispatchKeyEvent", type="keyDown", **names)
        self.send("Input.dispatchKeyEvent", type="keyUp", **names)

    def picture(self, x: float, y: float, width: float, height: float) -> bytes:
        """A PNG of a part of the window; pixels."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        taken = self.send("Page.captureScreenshot", format="png", clip=clip)
        return base64.b64decode(taken["data"])

    def complaints(self) -> list[str]:
        """Errors and warnings in the console, and scripts' exceptions."""
        found = []
        for event in self._browser.events(self._session):
            params = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    found.append(str(params["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                    found.append(str(params["args"]))
                case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                    found.append(str(params["entry"]))
        return found

    def requests(self) -> list[str]:
        """Addresses that the page asked for, itself included, but for what stands in it."""
        asked = [
            event["params"]["request"]["url"]
            for event in self._browser.events(self._session)
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith("data:")]


def find_program() -> str | None:
    """Chromium's, if it is installed."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def start_browser(program: str, profile: Path) -> Iterator[Browser]:
    """Chromium with an empty profile in that folder, for as long as it is needed."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Above the numbers that they get there.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    process = os.posix_spawn(
        program,
        [program, *FLAGS, f"--user-data-dir={profile}"],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, ends[0], 3),
            (os.POSIX_SPAWN_DUP2, ends[1], 4),
            (os.POSIX_SPAWN_DUP2, null, 1),
            (os.POSIX_SPAWN_DUP2, null, 2),
        ],
    )
    for end in (theirs_in, theirs_out, *ends, null):
        os.close(end)
    try:
        yield Browser(ours_in, ours_out)
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
        os.close(ours_in)
        os.close(ours_out)
