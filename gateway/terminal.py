"""What a person at a terminal reads while a report is loaded, and what came of it."""

from collections.abc import Iterator
from typing import TextIO

from gateway.sync.summary import Counts, FileSummary, Progress, Summary

_BAR = 30
_QUARTERS = 4


class ProgressLine:
    """One line that grows on a terminal; in a log, a line whenever another quarter of a phase is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._shown: tuple[str, str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        steps = 100 if self._terminal else _QUARTERS
        step = steps * progress.done // progress.total if progress.total else steps
        now = (progress.phase, progress.file, step)
        if now == self._shown:
            return
        self._shown = now
        words = f"{progress.phase} {progress.file} {100 * step // steps} %"
        if self._terminal:
            filled = "#" * (_BAR * step // steps)
            self._stream.write(f"\r\x1b[K[{filled:.<{_BAR}}] {words}")
        else:
            self._stream.write(f"{words}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line before anything else is written."""
        if self._terminal and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def described(summary: Summary) -> Iterator[str]:
    """The summary, line by line."""
    of = f"as of {summary.as_of:%Y-%m-%d %H:%M} UTC ({summary.as_of_from})"
    yield f"{summary.report}, {of}: {summary.state.lower()}, sync run {summary.run_id}"
    yield ""
    names = [*(file.file for file in summary.files), "total"]
    width = max(map(len, names))
    heads = ("rows", "created", "updated", "removed", "unchanged", "set aside", "held")
    yield " " * width + "".join(f"{head:>12}" for head in heads)
    for file in summary.files:
        yield f"{file.file:{width}}{_numbers(file.counts)}"
    yield f"{'total':{width}}{_numbers(summary.total)}"
    yield from _notes(summary)


def _numbers(counts: Counts) -> str:
    return "".join(f"{number:>12,}" for number in vars(counts).values())


def _notes(summary: Summary) -> Iterator[str]:
    notes = [*summary.notes, *(note for file in summary.files for note in _of_file(file))]
    if notes or summary.set_aside:
        yield ""
    yield from notes
    for row in summary.set_aside:
        yield f"set aside: {row.file}, line {row.line}: {row.reason}"
    more = summary.total.set_aside - len(summary.set_aside)
    if summary.set_aside and more > 0:
        yield f"set aside: {more:,} more, which are not listed"


def _of_file(file: FileSummary) -> Iterator[str]:
    if file.mentioned:
        yield f"{file.file}: known by id alone, from rows that refer to them: {file.mentioned:,}"
    yield from (f"{file.file}: {note}" for note in file.notes)
