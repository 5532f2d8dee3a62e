"""What a command shows while it works: a bar on a terminal, lines that stay anywhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SAMPLES = 3
"""Results after which it can be said when all will be there."""


class View:
    """The bar and the lines. `aside`: lines go to standard error, since something else goes to standard output."""

    def __init__(self, *, aside: bool = False) -> None:
        self.aside = aside
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=None, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def live(self) -> bool:
        """Whether a bar says how far it is."""
        return self._bar is not None

    def show(self, done: float, total: float | None, note: str = "") -> None:
        """How far it is. It is said at most four times a second."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, note=note)

    def line(self, text: str, *, aside: bool = False) -> None:
        """A line that stays. Names of files may be of bytes that no text has."""
        stream = sys.stderr if aside or self.aside else sys.stdout
        stream.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
        stream.flush()


def _bar() -> Progress:
    """NO_COLOR and TERM=dumb are honoured by the library."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """How long it will take, as soon as that can be said."""

        def render(self, task: Task) -> Text:
            left = task.time_remaining if task.total and task.completed >= _SAMPLES else None
            return Text("" if left is None else f"{left // 60:.0f}:{left % 60:02.0f} left", style="progress.remaining")

    columns = (SpinnerColumn(), BarColumn(bar_width=None), TextColumn("{task.fields[note]}"), Left())
    # Where results are piped away, they are not taken for lines of the terminal.
    return Progress(
        *columns, console=Console(stderr=True), refresh_per_second=4, transient=True, expand=True,
        redirect_stdout=sys.stdout.isatty(),
    )  # fmt: skip
