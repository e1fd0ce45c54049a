"""What a document costs the first time that it comes, part by part, and what it costs from then on.

CPU time of this thread. Every document differs from every other in its aliases and in each of its statements; the school
is so small that answering costs next to nothing.
"""

import asyncio
import re
import statistics
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from time import thread_time

from graphql import parse, specified_rules
from strawberry.schema.schema import validate_document

from bench import loaded
from bench.queries import QUESTIONS
from gateway.feed import Feed
from gateway.readpath.connections import Connections, open_connections
from gateway.viewer import Scope, Viewer
from resolvers.compiled import Compiled, Way
from resolvers.context import Context
from resolvers.documents import Documents, Operation
from resolvers.limits import Limits
from resolvers.schema import schema

VIEWER = Viewer(
    institution_id=1,
    institution_slug="bench",
    canvas_url=None,
    shard=1,
    scopes=frozenset({Scope.ROSTER_READ, Scope.PII_READ}),
)
_NOW = datetime(2026, 9, 15, tzinfo=UTC)
_SIZE = ["--courses", "3", "--users", "20", "--enrollments", "30", "--big", "10"]
_PLAN = "plan, statements, decoders"

# As tests/resolvers/test_hostile_documents.py asks it: another name, aliases, text and statement each.
_HOSTILE = """query q0($course: ID!) { course(by: {canvasId: $course}) { a0: id name
    enrollments(first: 5, filter: {search: "person 0"}) { nodes { b0: id state user { name } } } } }"""

Taken = dict[str, list[float]]


def run(folder: Path, _postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    report = loaded.report(folder, _SIZE)
    school = loaded.load(f"sqlite://{folder / 'roster.db'}", folder, report)
    times = asyncio.run(_measured(school, 50 if quick else 300))
    parts = list(next(iter(times.values())))
    lines = [
        f"| ms, the median of each | {' | '.join(parts)} |",
        f"| --- | {' | '.join('---:' for _ in parts)} |",
    ]
    for name, taken in times.items():
        medians = (f"{statistics.median(taken[part]) * 1000:.3f}" for part in parts)
        lines.append(f"| {name} | {' | '.join(medians)} |")
    return "\n".join(lines)


async def _measured(school: loaded.Loaded, times: int) -> dict[str, Taken]:
    asked = {one.name: one.document for one in QUESTIONS if one.name != "q2"}  # q1's form
    asked["hostile"] = _HOSTILE
    found: dict[str, Taken] = {name: defaultdict(list) for name in asked}
    async with open_connections(school.url) as connections:
        for name, document in asked.items():
            for number in range(times):
                await _one(connections, school, _distinct(document, number), found[name])
    return found


async def _one(connections: Connections, school: loaded.Loaded, text: str, taken: Taken) -> None:
    variables = {"course": school.canvas_id} if "$course" in text else {}
    marks = [thread_time()]
    ast = parse(text)
    marks.append(thread_time())
    validate_document(schema._schema, ast, tuple(specified_rules))  # noqa: SLF001  as resolvers.documents does
    marks.append(thread_time())
    for name, begins, ends in zip(("parse", "validate"), marks, marks[1:], strict=False):
        taken[name].append(ends - begins)

    documents, compiled = Documents(schema, Limits(cost=10**9)), Compiled(schema)
    operation = documents.operation(text, None, variables)
    first = await _read(compiled, operation, connections)
    again = min([await _read(compiled, operation, connections) for _ in range(3)])
    taken[_PLAN].append(first - again)

    began = thread_time()
    documents.operation(text, None, variables)
    taken["known already"].append(thread_time() - began)


async def _read(compiled: Compiled, operation: Operation, connections: Connections) -> float:
    context = Context(
        viewer=VIEWER, connections=connections, feed=Feed(connections), clock=lambda: _NOW
    )
    began = thread_time()
    way, _ = await compiled.read(operation, context)
    if way is not Way.COMPILED:
        raise SystemExit(f"{operation.document.text} was answered the {way} way")
    return thread_time() - began


def _distinct(document: str, number: int) -> str:
    """The same in other words, and of pages of another size."""
    text = re.sub(r"first: \d+", f"first: {number + 1}", document)
    text = re.sub(r"\b([abq])0\b", rf"\g<1>{number}", text).replace("person 0", f"person {number}")
    return text.replace("state user", f"s{number}: state user")
