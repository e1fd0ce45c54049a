"""The whole account's provisioning report as a file at once, as Canvas would zip it (fact sheet reports.md, section 4)."""

import io
import zipfile
from pathlib import Path

from twin.report_csv import FILES, PROVISIONING, TAG_FILES, columns, line
from twin.report_extract import Extract, Wanted
from twin.report_runs import ROWS
from twin.school import ROOT_ACCOUNT_ID, School

_EXTRA_COLUMNS = frozenset({"pronouns", "uuid"})


def write_report(path: Path, school: School) -> None:
    """For those who want the file and not the API: a run of its own is neither queued nor listed."""
    now = school.clock.now()
    account = school.accounts[ROOT_ACCOUNT_ID]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            if name in TAG_FILES:
                continue
            header = columns(PROVISIONING, name, _EXTRA_COLUMNS)
            extract = Extract(school, account, Wanted(report=PROVISIONING), now)
            with io.TextIOWrapper(archive.open(f"{name}.csv", "w"), "utf-8", newline="") as text:
                text.write(line(header))
                for cells in ROWS[name](extract) if name in ROWS else ():
                    text.write(line([cells.get(column) for column in header]))
