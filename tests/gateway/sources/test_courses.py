"""The courses of an account by Canvas's lists: whole or not at all, for those who may see an account."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.canvas.client import Credential, Meter
from gateway.errors import SourceError
from gateway.http.client import Client
from gateway.judgement import AccountFacts, Answer, Facts, sight
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.planner import Budget, plan
from gateway.prices import PriceBook
from gateway.sight import Right
from gateway.sources.courses import WHOLE, CoursesSource
from gateway.uow import Database
from gateway.viewer import Rights, Viewer
from models.roster import Source
from tests.factories import School
from tests.gateway.sources.readers import Readers, Tokens
from tests.upstream import Upstream, upstream
from twin.faults import Kind
from twin.records import Course


@pytest.fixture
def twin() -> Iterator[Upstream]:
    with upstream(courses=140, users=60, big=20, enrollments=60) as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[Client]:
    async with Client(allows_private_networks=True) as client:
        yield client


@pytest.fixture
async def school(database: Database, twin: Upstream) -> School:
    return await School.open(database, slug="demo", canvas_url=twin.url)


def source_of(
    school: School,
    twin: Upstream,
    http: Client,
    *,
    account: str = "1",
    token: bool = True,
    own: dict[int, Credential] | None = None,
) -> CoursesSource:
    return CoursesSource(
        institution_id=school.id,
        account=account,
        canvas=twin.canvas(http),
        database=school.database,
        credentials=Tokens(configured=twin.token() if token else None, own=own or {}),
        prices=PriceBook(),
        clock=twin.clock.now,
    )


NEED = Need(
    scope=WHOLE,
    subject=Subject.COURSES,
    groups=frozenset(),
    states=frozenset(),
    max_age=timedelta(0),
)


def living(twin: Upstream) -> list[Course]:
    return [one for one in twin.school.courses.values() if one.workflow_state != "deleted"]


async def kept(school: School, columns: str, table: str) -> list[dict[str, Any]]:
    return [
        dict(row)
        for row in await school.database.rows(
            f"select {columns} from {table} where institution_id = $1 order by canvas_id", school.id
        )
    ]


async def test_accounts_terms_and_courses_come_with_one_list(
    school: School, twin: Upstream, http: Client
) -> None:
    source, meter = source_of(school, twin, http), Meter()
    [offer] = await source.offers([NEED], school.viewer(), twin.clock.now())

    [taken] = await source.fill(offer, [NEED], school.viewer(), meter)

    courses = await kept(school, "name, sis_id, account_id, term_id", "course")
    assert sorted(one.name for one in living(twin)) == sorted(row["name"] for row in courses)
    assert all(row["account_id"] and row["term_id"] for row in courses)
    accounts = await kept(school, "id, name, sis_id, parent_id", "account")
    expected = {one.name for one in twin.school.accounts.values() if one.workflow_state == "active"}
    assert expected == {row["name"] for row in accounts}
    assert 1 == sum(row["parent_id"] is None for row in accounts)
    terms = {row["name"] for row in await kept(school, "name", "term")}
    assert twin.cast.terms["current"].name in terms
    assert (True, WHOLE) == (taken.whole, taken.scope)
    assert meter.requests == 2 * (2 + -(-len(living(twin)) // 100))  # a first list is read twice
    covers = await kept_covers(school)
    assert [("institution", 0, "course", True)] == covers


async def kept_covers(school: School) -> list[tuple[Any, ...]]:
    rows = await school.database.rows(
        "select scope_kind, scope_id, subject, whole from coverage where institution_id = $1",
        school.id,
    )
    return [(r["scope_kind"], r["scope_id"], r["subject"], bool(r["whole"])) for r in rows]


async def test_the_same_list_again_changes_nothing(
    school: School, twin: Upstream, http: Client
) -> None:
    source = source_of(school, twin, http)
    [offer] = await source.offers([NEED], school.viewer(), twin.clock.now())
    await source.fill(offer, [NEED], school.viewer(), Meter())
    twin.clock.advance(timedelta(minutes=5))

    [again] = await source.fill(offer, [NEED], school.viewer(), Meter())

    assert (0, 0, 0) == (again.created, again.updated, again.removed)


@pytest.mark.parametrize("kind", [Kind.LINK_MISSING, Kind.CUT_BODY, Kind.STATUS])
async def test_a_list_that_is_cut_short_leaves_the_store_as_it_was(
    school: School, twin: Upstream, http: Client, kind: Kind
) -> None:
    source = source_of(school, twin, http)
    [offer] = await source.offers([NEED], school.viewer(), twin.clock.now())
    twin.break_(kind, "accounts/1/courses", after=1, status=500 if kind is Kind.STATUS else 0)

    with pytest.raises(SourceError):
        await source.fill(offer, [NEED], school.viewer(), Meter())

    assert [] == await kept_covers(school)
    assert [] == await kept(school, "id", "course")


async def test_a_first_list_of_which_a_page_was_cut_is_read_to_its_end(
    school: School, twin: Upstream, http: Client
) -> None:
    source = source_of(school, twin, http)
    [offer] = await source.offers([NEED], school.viewer(), twin.clock.now())
    twin.break_(Kind.CUT_PAGE, "accounts/1/", count=2)

    await source.fill(offer, [NEED], school.viewer(), Meter())

    assert len(living(twin)) == len(await kept(school, "id", "course"))


async def test_an_account_that_is_not_the_whole_covers_itself_alone(
    school: School, twin: Upstream, http: Client
) -> None:
    engineering = twin.cast.accounts["engineering"]
    source = source_of(school, twin, http, account=str(engineering.id))
    [offer] = await source.offers([NEED], school.viewer(), twin.clock.now())

    [taken] = await source.fill(offer, [NEED], school.viewer(), Meter())

    [account] = [
        row["id"]
        for row in await kept(school, "id, name", "account")
        if row["name"] == engineering.name
    ]
    assert taken.scope == Scope(kind=ScopeKind.ACCOUNT, id=account)
    assert [("account", account, "course", True)] == await kept_covers(school)


async def test_it_is_offered_to_those_who_see_an_account(
    school: School, twin: Upstream, http: Client
) -> None:
    now = twin.clock.now()
    source = source_of(school, twin, http)

    async def offered(viewer: Viewer, need: Need = NEED) -> bool:
        return bool(await source.offers([need], viewer, now))

    rights = frozenset({Right.READ_COURSE_LIST})
    admins = AccountFacts(below=None, answer=Answer(rights=rights, asked_at=now))
    admin = Rights(sight=sight(Facts(person_id=1, accounts=(admins,)), None, now))
    teacher = Rights(sight=sight(Facts(person_id=1), None, now))
    assert await offered(school.viewer())
    assert await offered(school.viewer(rights=admin))
    assert not await offered(school.viewer(rights=teacher))
    assert not await offered(school.viewer(), replace(NEED, subject=Subject.MEMBERS))
    course = Scope(kind=ScopeKind.PERSON, id=1)
    assert not await offered(school.viewer(), replace(NEED, scope=course))
    assert not await source_of(school, twin, http, token=False).offers([NEED], school.viewer(), now)


async def test_without_an_admins_token_it_is_read_by_the_viewers_own_and_for_them_alone(
    school: School, twin: Upstream, http: Client
) -> None:
    person = await school.person(name="Ada Admin")
    source = source_of(school, twin, http, token=False, own={person: twin.token()})
    rights = frozenset({Right.READ_COURSE_LIST})
    answer = Answer(rights=rights, asked_at=twin.clock.now())
    facts = Facts(person_id=person, accounts=(AccountFacts(below=None, answer=answer),))
    viewer = school.viewer(rights=Rights(sight=sight(facts, None, twin.clock.now())))
    viewer = replace(viewer, user_id=person)

    [offer] = await source.offers([NEED], viewer, twin.clock.now())
    await source.fill(offer, [NEED], viewer, Meter())

    assert person == offer.eyes
    rows = await school.database.rows(
        "select authority from coverage where institution_id = $1", school.id
    )
    assert [f"person:{person}"] == [row["authority"] for row in rows]
    assert len(living(twin)) == len(await kept(school, "id", "course"))


async def test_a_report_is_cheaper_where_there_are_very_many(
    school: School, twin: Upstream, http: Client
) -> None:
    """By what calls usually cost: the break-even lies at some thousand courses."""
    source, now = source_of(school, twin, http), twin.clock.now()
    patient = replace(NEED, deadline=timedelta(minutes=15))
    readers = await Readers.open(twin, school.database, http, slug="other")

    async def chosen() -> Source:
        viewer = school.viewer()
        offers = [
            *await source.offers([patient], viewer, now),
            *await readers.report.offers([patient], viewer, now),
        ]
        return plan([patient], offers, now, Budget()).answers[0].order[0].source

    assert Source.ENROLLMENTS_API is await chosen()
    await school.database.transact(
        lambda tx: tx.run(
            "insert into course (institution_id, canvas_id, sort_key, search_key, source, as_of)"
            " with recursive n(i) as (select 1 union all select i + 1 from n where i < 15000)"
            " select $1, 90000000 + i, '', '', 'REPORT', $2 from n",
            school.id,
            now,
        )
    )
    assert Source.REPORT is await chosen()
