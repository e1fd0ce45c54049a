"""What a document costs the first time that it comes, part by part, and what it costs from then on.

CPU time of this thread, on the SQLite of a small school; every document differs from every other in its aliases.
"""

import asyncio
import statistics
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from time import thread_time

from graphql import parse, specified_rules
from strawberry.schema.schema import validate_document

from bench import loaded
from bench.queries import QUESTIONS, Question
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

Taken = dict[str, list[float]]


def run(folder: Path, _postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    report = loaded.report(folder, loaded.QUICK_SIZE)
    school = loaded.load(f"sqlite://{folder / 'roster.db'}", folder, report)
    times = asyncio.run(_measured(school, 50 if quick else 300))
    parts = list(next(iter(times.values())))
    lines = [
        f"| ms, the median of each | {' | '.join(parts)} |",
        f"| --- | {' | '.join('---:' for _ in parts)} |",
    ]
    for question, taken in times.items():
        medians = (f"{statistics.median(taken[part]) * 1000:.3f}" for part in parts)
        lines.append(f"| {question} | {' | '.join(medians)} |")
    return "\n".join(lines)


async def _measured(school: loaded.Loaded, times: int) -> dict[str, Taken]:
    found: dict[str, Taken] = {}
    async with open_connections(school.url) as connections:
        for question in QUESTIONS:
            if question.name == "q2":  # q1's form
                continue
            found[question.name] = defaultdict(list)
            for number in range(times):
                await _one(connections, school, question, number, found[question.name])
    return found


async def _one(
    connections: Connections, school: loaded.Loaded, question: Question, number: int, taken: Taken
) -> None:
    text = _distinct(question.document, number)
    variables = {"course": school.canvas_id} if "$course" in text else {}
    marks = [thread_time()]
    ast = parse(text)
    marks.append(thread_time())
    validate_document(schema._schema, ast, tuple(specified_rules))  # noqa: SLF001  as resolvers.documents does
    marks.append(thread_time())
    for name, begins, ends in zip(("parse", "validate"), marks, marks[1:], strict=False):
        taken[name].append(ends - begins)

    documents, compiled = Documents(schema, Limits()), Compiled(schema)
    operation = documents.operation(text, None, variables)
    first = await _read(compiled, operation, connections)
    again = min([await _read(compiled, operation, connections) for _ in range(3)])
    taken["plan and decoders"].append(first - again)

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
    return document.replace("state user", f"s{number}: state user")
