"""`make bench`: the benchmarks of docs/benchmarks.md, each table printed as it stands there.

    python -m bench [reads] [ingest] [planner] [bulk] [documents] [growth] [peers] [--quick] [--write]

Needs wrk for `reads` and `peers`, and a PostgreSQL where databases may be made (`make bench` starts one). The peers are
installed by npm, and run only where they are asked for.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import bulk, documents, growth, ingest, node_peers, planner, read_tables
from bench.page import put

SUITES: dict[str, Callable[[Path, str, bool], str]] = {
    "reads": read_tables.run,
    "ingest": ingest.run,
    "planner": planner.run,
    "bulk": bulk.run,
    "documents": documents.run,
    "growth": growth.run,
    "peers": node_peers.run,
}
ASKED_FOR = {"peers"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "suites",
        nargs="*",
        help=f"{', '.join(SUITES)}; when omitted, all but {', '.join(ASKED_FOR)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small data and short runs: to see that it works"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the tables into docs/benchmarks.md"
    )
    options = parser.parse_args()
    if unknown := set(options.suites) - set(SUITES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    postgres = os.environ.get("ROSTER_TEST_POSTGRES")
    if postgres is None:
        sys.exit("no PostgreSQL: run `make bench`, or set ROSTER_TEST_POSTGRES")
    for name in options.suites or [name for name in SUITES if name not in ASKED_FOR]:
        with tempfile.TemporaryDirectory(prefix="roster-bench-") as folder:
            tables = SUITES[name](Path(folder), postgres, options.quick)
        print(tables)
        if options.write:
            put(name, tables)


if __name__ == "__main__":
    main()
