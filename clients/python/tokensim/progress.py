"""Progress of a run, as a bar on stderr: in a terminal, and in a notebook, which shows stderr, too."""

import contextlib
import sys
import time
import typing

_WIDTH = 30
_INTERVAL_SECONDS = 0.1


def _shown() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class _Bar:
    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._last = 0.0
        self._length = 0

    def __call__(self, simulation) -> None:
        now = time.monotonic()
        progress = simulation.progress
        if now - self._last < _INTERVAL_SECONDS and progress.fraction < 1:
            return
        self._last = now
        done = round(_WIDTH * progress.fraction)
        text = (f"[{'#' * done}{'.' * (_WIDTH - done)}] {progress.fraction:4.0%} "
                f"{progress.requests_finished:,} of {progress.requests_total:,} requests")
        if 0 < progress.fraction < 1:
            text += f", {(now - self._begin) * (1 / progress.fraction - 1):.0f} s left"
        self.write(text)

    def write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._length))
        sys.stderr.flush()
        self._length = len(text)

    def end(self) -> None:
        if self._length:
            self.write("")
            sys.stderr.write("\r")


@contextlib.contextmanager
def reporter(progress: typing.Union[bool, typing.Callable[[typing.Any], None]]
             ) -> typing.Iterator[typing.Callable[[typing.Any], None]]:
    """A function to give each Simulation to. True is a bar where somebody sees it."""
    if callable(progress):
        yield progress
        return
    if not progress or not _shown():
        yield lambda simulation: None
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.end()
