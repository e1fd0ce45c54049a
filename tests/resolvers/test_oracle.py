"""Every filter, order and cursor against plain Python over the same rows, on both databases."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.readpath import node_ids
from models import text
from models.moments import moment_text
from models.roster import CourseState, EnrollmentState, EnrollmentType, UserState
from tests.factories import NOW, School
from tests.resolvers import mixed_school
from tests.resolvers.conftest import Graph
from tests.resolvers.mixed_school import (
    NAMES,
    ROLES,
    Facts,
    MixedSchool,
    enrollments_meant,
    found,
    found_by_name,
    is_meant,
    ordered,
    shown_state,
)

# One filled school serves all examples of a test: they only read.
READING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

SEARCHES = st.one_of(
    st.sampled_from([*NAMES, "zoe", "ZOË mül", "login1", "SIS", "sis1", "family@", "%", "_", "\\", " ", "neil zoe"]),
    st.text(max_size=3).filter(lambda word: "\x00" not in word),
)  # fmt: skip


def subset(words: Any) -> st.SearchStrategy[list[str] | None]:
    return st.none() | st.lists(st.sampled_from([str(word) for word in words]), max_size=4)


ENROLLMENT_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "types": subset(EnrollmentType),
        "roles": subset([role for role in ROLES if role]),
        "states": subset(EnrollmentState),
        "sections": st.none() | st.lists(st.integers(0, 13), max_size=3),
        "users": st.none() | st.lists(st.integers(0, 39), max_size=3),
        "search": st.none() | SEARCHES,
        "updatedSince": st.none() | st.integers(0, 9).map(lambda days: NOW - timedelta(days=days)),
    },
)
FORMS = st.sampled_from(["id", "canvasId", "sisId"])
DIRECTIONS = st.sampled_from(["ASC", "DESC"])
SIZES = st.integers(1, 60)


async def every_page(
    graph: Graph,
    query: str,
    variables: Facts,
    place: Callable[[Any], Any],
    *,
    backwards: bool = False,
) -> tuple[list[Any], Any]:
    """All nodes of a connection, page after page, and the last page."""
    nodes: list[Any] = []
    while True:
        page = place(await graph.ask(query, variables))
        nodes = page["nodes"] + nodes if backwards else nodes + page["nodes"]
        if not page["pageInfo"]["hasPreviousPage" if backwards else "hasNextPage"]:
            return nodes, page
        key, end = ("before", "startCursor") if backwards else ("after", "endCursor")
        variables = variables | {key: page["pageInfo"][end]}


def spelled(row: Facts, type_name: str, form: str) -> dict[str, str]:
    if form == "sisId" and row["sis_id"]:
        return {"sisId": row["sis_id"]}
    if form == "canvasId":
        return {"canvasId": str(row["canvas"])}
    return {"id": node_ids.encode(type_name, row["id"])}


PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
OF_COURSE = f"""query($id: ID!, $filter: EnrollmentFilter, $order: EnrollmentOrder, $first: Int, $after: String) {{
    course(by: {{id: $id}}) {{ enrollments(filter: $filter, orderBy: $order, first: $first, after: $after) {{
        nodes {{ id canvasId type role state createdAt user {{ id name }} section {{ id name }} }} {PAGE_INFO} }} }} }}"""
OF_SECTION = OF_COURSE.replace("course(", "section(")
OF_USER = OF_COURSE.replace("course(", "user(")


@READING
@given(data=st.data())
async def test_enrollments_of_courses_sections_and_people(
    graph: Graph, school: School, data: st.DataObject
) -> None:
    mixed = await filled(school)
    root, query, rows = data.draw(
        st.sampled_from(
            [
                ("Course", OF_COURSE, mixed.courses),
                ("Section", OF_SECTION, mixed.sections),
                ("User", OF_USER, [one for one in mixed.people if not one["merged_into_id"]]),
            ]
        )
    )
    owner = data.draw(st.sampled_from(rows))
    column = {"Course": "course_id", "Section": "section_id", "User": "person_id"}[root]
    asked = data.draw(ENROLLMENT_FILTERS)
    names = enrollment_orders(mixed)
    order = data.draw(st.sampled_from(sorted(names)))
    direction = data.draw(DIRECTIONS)
    given_filter, meant_filter = spelled_filter(mixed, asked, data)

    nodes, last = await every_page(
        graph,
        query,
        {
            "id": node_ids.encode(root, owner["id"]),
            "filter": given_filter,
            "order": {"field": order, "direction": direction},
            "first": data.draw(SIZES),
        },
        lambda answer: answer[root.lower()]["enrollments"],
    )

    own = [row for row in mixed.enrollments if row[column] == owner["id"]]
    expected = ordered(
        enrollments_meant(mixed, own, meant_filter), names[order], descending=direction == "DESC"
    )
    assert nodes == [as_node(mixed, row) for row in expected]
    assert last["totalCount"] == len(expected)


def spelled_filter(mixed: MixedSchool, asked: Facts, data: st.DataObject) -> tuple[Facts, Facts]:
    """The filter as it is sent, and with row ids as the oracle takes it."""
    sent, meant = dict(asked), dict(asked)
    if (sections := asked.get("sections")) is not None:
        rows = [mixed.sections[number] for number in sections]
        sent["sections"] = [spelled(row, "Section", data.draw(FORMS)) for row in rows]
        meant["sections"] = [row["id"] for row in rows]
    if (users := asked.get("users")) is not None:
        rows = [mixed.people[number] for number in users]
        sent["users"] = [spelled(row, "User", data.draw(FORMS)) for row in rows]
        meant["users"] = [row["merged_into_id"] or row["id"] for row in rows]
    if (since := asked.get("updatedSince")) is not None:
        sent["updatedSince"] = moment_text(since)
    return sent, meant


def enrollment_orders(mixed: MixedSchool) -> dict[str, Callable[[Facts], Any] | None]:
    def person(row: Facts) -> Facts:
        return mixed.by_id(mixed.people, row["person_id"]) or {}

    def course(row: Facts) -> Facts:
        return mixed.by_id(mixed.courses, row["course_id"]) or {}

    def section(row: Facts) -> Facts:
        return mixed.by_id(mixed.sections, row["section_id"]) or {}

    return {
        "ID": None,
        "USER_NAME": lambda row: text.sort_key(person(row)["sortable_name"], person(row)["name"]),
        "COURSE_NAME": lambda row: text.sort_key(course(row)["name"]),
        "SECTION_NAME": lambda row: section(row).get("name"),
        "TYPE": lambda row: row["type"],
        "STATE": shown_state,
        "CREATED_AT": lambda row: row["created_at"],
        "UPDATED_AT": lambda row: row["updated_at"],
        "LAST_ACTIVITY_AT": lambda row: row["last_activity_at"],
    }


def as_node(mixed: MixedSchool, row: Facts) -> Facts:
    person, section = (
        mixed.by_id(mixed.people, row["person_id"]),
        mixed.by_id(mixed.sections, row["section_id"]),
    )
    assert person is not None
    return {
        "id": node_ids.encode("Enrollment", row["id"]),
        "canvasId": row["canvas"] and str(row["canvas"]),
        "type": row["type"],
        "role": row["role"],
        "state": shown_state(row),
        "createdAt": row["created_at"] and moment_text(row["created_at"]),
        "user": {"id": node_ids.encode("User", person["id"]), "name": person["name"]},
        "section": section and {"id": node_ids.encode("Section", section["id"]), "name": section["name"]},
    }  # fmt: skip


COURSES = f"""query($filter: CourseFilter, $order: CourseOrder, $first: Int, $after: String, $last: Int, $before: String) {{
    courses(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {{
        nodes {{ id }} {PAGE_INFO} }} }}"""
COURSE_ORDERS: dict[str, Callable[[Facts], Any] | None] = {
    "ID": None,
    "NAME": lambda row: text.sort_key(row["name"]),
    "COURSE_CODE": lambda row: row["course_code"],
    "SIS_ID": lambda row: row["sis_id"],
    "START_AT": lambda row: row["start_at"],
}


@READING
@given(
    data=st.data(),
    states=subset(CourseState),
    search=st.none() | SEARCHES,
    order=st.sampled_from(sorted(COURSE_ORDERS)),
    direction=DIRECTIONS,
    size=SIZES,
    backwards=st.booleans(),
)
async def test_courses_forwards_and_backwards(
    graph: Graph,
    school: School,
    data: st.DataObject,
    states: list[str] | None,
    search: str | None,
    order: str,
    direction: str,
    size: int,
    backwards: bool,
) -> None:
    mixed = await filled(school)
    account = data.draw(st.none() | st.sampled_from(mixed.accounts))
    term = data.draw(st.none() | st.sampled_from(mixed.terms))
    ids = data.draw(st.none() | st.lists(st.sampled_from([row["canvas"] for row in mixed.courses])))
    asked: Facts = {"states": states, "search": search}
    asked["account"] = account and {"sisId": account["sis_id"]}
    asked["term"] = term and {"id": node_ids.encode("Term", term["id"])}
    asked["canvasIds"] = ids and [str(canvas) for canvas in ids]

    nodes, last = await every_page(
        graph,
        COURSES,
        {
            "filter": asked,
            "order": {"field": order, "direction": direction},
            "last" if backwards else "first": size,
        },
        lambda answer: answer["courses"],
        backwards=backwards,
    )

    below = accounts_below(mixed, account["id"]) if account else None
    meant = [
        row
        for row in mixed.courses
        if is_meant(row, states)
        and (search is None or found_by_name(search, row["name"], row["course_code"]))
        and (below is None or row["account_id"] in below)
        and (term is None or row["term_id"] == term["id"])
        and (ids is None or row["canvas"] in ids)
    ]
    expected = ordered(meant, COURSE_ORDERS[order], descending=direction == "DESC")
    assert [node["id"] for node in nodes] == [
        node_ids.encode("Course", row["id"]) for row in expected
    ]
    assert last["totalCount"] == len(expected)


def accounts_below(mixed: MixedSchool, top: int) -> set[int]:
    below = {top}
    while more := {row["id"] for row in mixed.accounts if row["parent_id"] in below} - below:
        below |= more
    return below


USERS = COURSES.replace("CourseFilter", "UserFilter").replace("CourseOrder", "UserOrder").replace("courses(", "users(")  # fmt: skip
USER_ORDERS: dict[str, Callable[[Facts], Any] | None] = {
    "ID": None,
    "NAME": lambda row: text.sort_key(row["sortable_name"], row["name"]),
    "LOGIN_ID": lambda row: row["login_id"],
    "SIS_ID": lambda row: row["sis_id"],
}


@READING
@given(
    data=st.data(),
    states=subset(UserState),
    search=st.none() | SEARCHES,
    order=st.sampled_from(sorted(USER_ORDERS)),
    direction=DIRECTIONS,
    size=SIZES,
    backwards=st.booleans(),
)
async def test_people_forwards_and_backwards(
    graph: Graph,
    school: School,
    data: st.DataObject,
    states: list[str] | None,
    search: str | None,
    order: str,
    direction: str,
    size: int,
    backwards: bool,
) -> None:
    mixed = await filled(school)
    logins = data.draw(st.none() | st.lists(st.sampled_from(["LOGIN1", "login2", "zoe3", "none"])))
    sis_ids = data.draw(
        st.none() | st.lists(st.sampled_from([row["sis_id"] or "?" for row in mixed.people]))
    )
    asked = {"states": states, "search": search, "loginIds": logins, "sisIds": sis_ids}

    nodes, last = await every_page(
        graph,
        USERS,
        {
            "filter": asked,
            "order": {"field": order, "direction": direction},
            "last" if backwards else "first": size,
        },
        lambda answer: answer["users"],
        backwards=backwards,
    )

    meant = [
        row
        for row in mixed.people
        if row["merged_into_id"] is None
        and is_meant(row, states)
        and (search is None or found(row, search))
        and (logins is None or (row["login_id"] or "").lower() in [one.lower() for one in logins])
        and (sis_ids is None or row["sis_id"] in sis_ids)
    ]
    expected = ordered(meant, USER_ORDERS[order], descending=direction == "DESC")
    assert [node["id"] for node in nodes] == [
        node_ids.encode("User", row["id"]) for row in expected
    ]
    assert last["totalCount"] == len(expected)


_filled: dict[int, MixedSchool] = {}


async def filled(school: School) -> MixedSchool:
    """The rows of this test's school, made once."""
    if id(school) not in _filled:
        _filled.clear()
        _filled[id(school)] = await mixed_school.build(school)
        for subject in ("course", "section", "person", "enrollment"):
            await school.covered(subject)
    return _filled[id(school)]
