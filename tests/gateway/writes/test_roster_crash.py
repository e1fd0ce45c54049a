"""kill -9 at every kind of step of a change of many, again and again: it ends as planned, exactly once.

Some steps come once in a change, so that whoever dies at one of them dies at no later one: smaller changes follow until
each has had its kill.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, cycle, islice

import msgspec
import orjson
import pytest

from gateway.change_paths import Path
from gateway.merge import Guard
from gateway.store.roster_changes import State, Status
from gateway.uow import Database
from models.roster import EnrollmentState
from tests.gateway.writes.bulk import Bulk, bulk
from tests.gateway.writes.bulk_process import UNDER_WAY, Start
from tests.upstream import Upstream, upstream
from twin.records import User

ROWS = {False: 30, True: 10_000}
TAKEN_AWAY = {Path.SINGLE_CALLS: 1_000, Path.SIS_IMPORT: 10_000}
FEW = 10
# So often it dies at each kind of step at least, and of so many further steps at one.
LEAST = {False: 1, True: 5}
ONE_OF = {False: 60, True: 400}
TELLING = {
    Path.SINGLE_CALLS: "POST /courses/#/enrollments",
    Path.SIS_IMPORT: "POST /accounts/self/sis_imports",
}
# Where a change dies when Canvas is told.
STEPS = (
    *("not sent", UNDER_WAY, "answered"),
    *("transaction 1: not committed", "transaction 1: committed"),
)


@pytest.fixture
def twin(proving: bool) -> Iterator[Upstream]:
    size = {"users": 14_000, "courses": 40} if proving else {}
    with upstream(control=True, **size) as running:
        yield running


@pytest.fixture
async def many(twin: Upstream, database: Database) -> AsyncIterator[Bulk]:
    async with bulk(twin, database, guard=Guard()) as ready:
        yield ready


@dataclass(kw_only=True)
class Killer:
    """Starts one process after the other, each of which kills itself, until one gets to the end."""

    many: Bulk
    program: asyncio.subprocess.Process
    least: int
    chance: float
    seeds: Iterator[int] = field(default_factory=count)

    async def carry_out(self, change: int, spared: Mapping[str, int] = {}) -> "Kills":
        """`spared`: steps where so many have died already."""
        kills, before = Kills(), _told(self.many)
        while (step := await self._started(change, kills.at + Counter(spared))) is not None:
            kills.at[step] += 1
            in_canvas = (_told(self.many) - before).total()
            kills.unknown[step] += in_canvas > await _known(self.many, change)
        kills.told = _told(self.many) - before
        return kills

    async def _started(self, change: int, spared: Mapping[str, int]) -> str | None:
        """Where it died; None: it came to its end."""
        start = Start(
            database=self.many.database.url,
            twin=self.many.twin.url,
            token=self.many.twin.token().secret,
            institution=self.many.institution_id,
            change=change,
            seed=next(self.seeds),
            least=self.least,
            chance=self.chance,
            died=dict(spared),
        )
        assert self.program.stdin is not None
        self.program.stdin.write(msgspec.json.encode(start) + b"\n")
        said = await self._line()
        if said.isdecimal():
            assert said == "0"
            died = None
        else:
            died = said
            assert await self._line() == "-9"
        # the twin's clock stood still while the process's went on
        self.many.twin.clock.advance(timedelta(minutes=5))
        return died

    async def _line(self) -> str:
        assert self.program.stdout is not None
        return (await self.program.stdout.readline()).decode().strip()


@dataclass(kw_only=True)
class Kills:
    """By step; `unknown`: of these, when Canvas had done something that the store did not know. `told`: calls that change something."""

    at: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [
            f"{times:7,} {self.unknown[step]:7,}  {step}" for step, times in sorted(self.at.items())
        ]
        return "\n".join(["  kills unknown  step", *lines])


@asynccontextmanager
async def killer(many: Bulk, *, proving: bool) -> AsyncIterator[Killer]:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.writes.bulk_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Killer(many=many, program=program, least=LEAST[proving], chance=1 / ONE_OF[proving])
    finally:
        said, _ = await program.communicate(b"")  # it ends with its input
    assert (said, program.returncode) == (b"", 0)


def _told(many: Bulk) -> Counter[str]:
    """Canvas's own bill of what was changed there."""
    return Counter(
        {name: calls for name, calls in many.twin.billed().items() if not name.startswith("GET")}
    )


async def _known(many: Bulk, change: int) -> int:
    """Of how many of them the store knows that Canvas was told."""
    done = await many.change(change)
    if done.path is Path.SIS_IMPORT:
        return int(done.import_id is not None)
    [row] = await many.database.rows(
        "select count(*) as n from roster_change_row where institution_id = $1 and roster_change_id = $2"
        " and status in ('SENT', 'DONE', 'FAILED')",
        many.institution_id,
        change,
    )
    return int(row["n"])


def _entries(rows: list[dict[str, object]]) -> Counter[tuple[object, object, object]]:
    """What the feed tells of each enrollment's state."""
    told: Counter[tuple[object, object, object]] = Counter()
    for row in rows:
        for entry in orjson.loads(str(row["after"] or "[]")):
            if entry["field"] == "state":
                told[row["subject_id"], row["kind"], entry["value"]] += 1
    return told


async def _feed(many: Bulk, after: int) -> list[dict[str, object]]:
    rows = await many.database.rows(
        "select position, kind, subject_id, after from change where institution_id = $1 and position > $2"
        " and subject_type = 'Enrollment' order by position",
        many.institution_id,
        after,
    )
    every = await many.database.rows(
        "select position from change where institution_id = $1 order by position",
        many.institution_id,
    )
    assert [row["position"] for row in every] == list(range(1, len(every) + 1))
    return rows


async def _is_exactly_once(many: Bulk, change: int, users: list[User], state: str) -> None:
    """Every row is there once, and as planned; what is not is told, by row and by what Canvas heard of it."""
    done, rows = await many.change(change), await many.rows(change)
    wrong = [
        (row.place, row.status, row.message, many.in_canvas(user))
        for row, user in zip(rows, users, strict=True)
        if row.status is not Status.DONE or many.in_canvas(user) != [state]
    ]
    heard = await many.changes.exchanges(many.viewer, change, [place for place, *_ in wrong[:5]])
    assert not wrong, (len(wrong), wrong[:20], heard, done)
    assert (done.state, done.message) == (State.SUCCEEDED, None), done


@dataclass(kw_only=True)
class Proof:
    """By one path: changes that are killed, one after the other."""

    many: Bulk
    path: Path
    killing: Killer
    died: Counter[str] = field(default_factory=Counter)

    async def change(
        self,
        users: list[User],
        state: EnrollmentState,
        *,
        spared: Mapping[str, int] = {},
    ) -> str:
        """What is to be printed."""
        many = self.many
        change = await many.plan([many.said(user, state) for user in users], self.path)
        planned = await many.change(change)
        await many.changes.apply(many.viewer, change, confirmed=planned.removals, key=None)
        kills = await self.killing.carry_out(change, spared)
        await _is_exactly_once(many, change, users, state.lower())
        # What is under way when it dies may reach Canvas after it was looked for, and is told once more.
        late = sum(n for step, n in kills.at.items() if UNDER_WAY in step and "GET" not in step)
        asked = 1 if self.path is Path.SIS_IMPORT else len(users)
        assert asked <= kills.told.total() <= asked + late, (kills.told, str(kills))
        self.died += kills.at
        return (
            f"{self.path}: {len(users):,} rows to be {state}, killed {kills.at.total():,} times at {len(kills.at)} kinds"
            f" of step, {kills.unknown.total():,} times with something done that the store did not know: each row as"
            f" planned, told {kills.told.total():,} times\n{kills}"
        )

    def unkilled(self) -> set[str]:
        """Steps of telling Canvas at which none has died yet."""
        telling = TELLING[self.path]
        steps = {f"{telling}{', ' if 'transaction' in one else ': '}{one}" for one in STEPS}
        return steps - self.died.keys()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", list(Path))
async def test_killed_anywhere_it_ends_as_planned_exactly_once(
    many: Bulk, path: Path, proving: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = many.strangers(ROWS[proving] + FEW)
    users, few = everybody[:-FEW], everybody[-FEW:]
    [[end]] = [
        row.values()
        for row in await many.database.rows(
            "select feed_position from institution where id = $1", many.institution_id
        )
    ]
    changes = [(users, EnrollmentState.ACTIVE)]
    if proving:
        changes.append((users[: TAKEN_AWAY[path]], EnrollmentState.DELETED))
    async with killer(many, proving=proving) as killing:
        proof = Proof(many=many, path=path, killing=killing)
        for some, state in changes:
            said = await proof.change(some, state)
            with capsys.disabled():
                print(f"\n{said}")
        ours = await _told_as(many, users, int(end))
        assert ours == Counter(
            {
                kind: len(some)
                for (some, _), kind in zip(changes, ("CREATED", "REMOVED"), strict=False)
            }
        )
        for state in islice(cycle((EnrollmentState.ACTIVE, EnrollmentState.DELETED)), 12):
            if not proof.unkilled():
                break
            spared = dict.fromkeys(proof.died, proof.killing.least)
            said = await proof.change(few, state, spared=spared)
            with capsys.disabled():
                print(f"\n{said}")
    assert not proof.unkilled()


async def _told_as(many: Bulk, users: list[User], after: int) -> Counter[str]:
    """What the feed tells of the states of their enrollments: each once, of one enrollment each."""
    listed = ", ".join(str(10**13 + user.id) for user in users)
    rows = await many.database.rows(
        "select e.id from enrollment e join person p on p.institution_id = $1 and p.id = e.person_id"
        " join section s on s.institution_id = $1 and s.id = e.section_id where e.institution_id = $1"
        f" and e.type = 'STUDENT' and s.canvas_id = $2 and p.canvas_id in ({listed})",
        many.institution_id,
        10**13 + many.section.id,
    )
    ours = {row["id"] for row in rows}  # not those of who observes them
    assert len(ours) == len(users)
    told = _entries([row for row in await _feed(many, after) if row["subject_id"] in ours])
    assert set(told.values()) == {1}, [one for one, times in told.items() if times > 1][:20]
    return Counter(str(kind) for _, kind, _ in told)


@pytest.mark.prove
@pytest.mark.parametrize(
    "engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
@pytest.mark.parametrize("path", list(Path))
async def test_killed_anywhere_with_postgresql_too(
    many: Bulk, path: Path, proving: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    await test_killed_anywhere_it_ends_as_planned_exactly_once(many, path, proving, capsys)
