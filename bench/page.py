"""docs/benchmarks.md: each suite's tables stand between markers of its own."""

from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def put(name: str, tables: str) -> None:
    """Replace what stands between the page's markers of this suite."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{tables}\n{end}{after}")
