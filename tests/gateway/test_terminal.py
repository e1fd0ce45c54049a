"""What is written while a report is loaded, and what is said about it afterwards."""

import io
from datetime import UTC, datetime

from gateway.sync.summary import Counts, FileSummary, Progress, SetAsideRow, Summary
from gateway.terminal import ProgressLine, described
from models.roster import SyncRunState


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(done: int, *, file: str = "users.csv", total: int = 1000) -> Progress:
    return Progress(phase="reading", file=file, done=done, total=total)


def test_a_terminal_has_one_line_that_grows() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    for done in (0, 4, 500, 1000):
        line(progress(done))
    line.end()

    assert [
        "",
        f"[{'.' * 30}] reading users.csv 0 %",
        f"[{'#' * 15}{'.' * 15}] reading users.csv 50 %",
        f"[{'#' * 30}] reading users.csv 100 %",
        "",
    ] == terminal.getvalue().split("\r\x1b[K")


def test_a_log_has_a_line_for_each_quarter() -> None:
    log = io.StringIO()
    line = ProgressLine(log)
    for done in range(0, 1001, 10):
        line(progress(done))
    line(progress(0, file="empty.csv", total=0))
    line.end()

    assert [
        "reading users.csv 0 %",
        "reading users.csv 25 %",
        "reading users.csv 50 %",
        "reading users.csv 75 %",
        "reading users.csv 100 %",
        "reading empty.csv 100 %",
    ] == log.getvalue().splitlines()


def test_the_summary_tells_the_counts_of_each_file_and_why_rows_were_set_aside() -> None:
    summary = Summary(
        run_id=7,
        state=SyncRunState.SUCCEEDED,
        report="provisioning report",
        as_of=datetime(2030, 1, 2, 3, 4, tzinfo=UTC),
        as_of_from="the file's time",
        files=(
            FileSummary(file="users.csv", counts=Counts(rows=1200, created=1198, set_aside=2)),
            FileSummary(
                file="enrollments.csv",
                counts=Counts(rows=5, updated=1, removed=2, unchanged=3, held=4),
                mentioned=6,
                notes=("two columns are new to us",),
            ),
        ),
        set_aside=(SetAsideRow(file="users.csv", line=12, reason="no id"),),
        notes=("nothing was removed",),
    )

    assert (
        """\
provisioning report, as of 2030-01-02 03:04 UTC (the file's time): succeeded, sync run 7

                       rows     created     updated     removed   unchanged   set aside        held
users.csv             1,200       1,198           0           0           0           2           0
enrollments.csv           5           0           1           2           3           0           4
total                 1,205       1,198           1           2           3           2           4

nothing was removed
enrollments.csv: known by id alone, from rows that refer to them: 6
enrollments.csv: two columns are new to us
set aside: users.csv, line 12: no id
set aside: 1 more, which are not listed""".splitlines()
        == list(described(summary))
    )
