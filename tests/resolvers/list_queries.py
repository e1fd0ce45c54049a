"""Every list of the graph, in every order, either way, behind and before a cursor, and by every filter."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from resolvers.enums import CourseOrderField, EnrollmentOrderField, UserOrderField

_COURSE = "id name sisId term { name } account { name }"
_SECTION = "id name course { name }"
_USER = "id name email loginId sisId"
_ENROLLMENT = (
    f"id type state lastActivityAt user {{ {_USER} }} section {{ name }} course {{ name }}"
)
_MEMBER = f"types state user {{ {_USER} }} sections {{ name }}"
_WHOLE = "totalCount provenance { asOf completeness gaps { message } origins { rows } }"


class ListOf(NamedTuple):
    """Where a list stands: `around` has a hole for it."""

    name: str
    around: str
    node: str
    orders: list[str]
    filters: list[str]

    @property
    def backwards(self) -> bool:
        """Whether it can be read from its end: lists of the institution can."""
        return self.around == "{ %s }"


_COURSE_ORDERS = [one.value for one in CourseOrderField]
_USER_ORDERS = [one.value for one in UserOrderField]
_ENROLLMENT_ORDERS = [one.value for one in EnrollmentOrderField]
_COURSE_FILTERS = [
    "states: [AVAILABLE]",
    "states: [DELETED]",
    'term: {canvasId: "3"}',
    'account: {canvasId: "3"}',
    'canvasIds: ["7", "8"]',
    'sisIds: ["C7", "C8"]',
    'search: "course 77"',
]
_USER_FILTERS = [
    "states: [ACTIVE]",
    "states: [DELETED]",
    'canvasIds: ["7", "8"]',
    'sisIds: ["S7", "S8"]',
    'loginIds: ["login7"]',
    'search: "person 77"',
]
_ENROLLMENT_FILTERS = [
    "types: [TEACHER]",
    'roles: ["StudentEnrollment"]',
    "states: [ACTIVE, COMPLETED]",
    "states: [DELETED]",
    'sections: [{sisId: "X7"}]',
    'users: [{loginId: "login77"}]',
    'search: "person 77"',
    'updatedSince: "2026-09-01T00:00:00Z"',
]
_SECTION_FILTERS = [
    "states: [ACTIVE]",
    "states: [DELETED]",
    'canvasIds: ["7"]',
    'sisIds: ["X7"]',
]
_IN_A_COURSE = '{ course(by: {sisId: "C7"}) { id %s } }'
_IN_COURSES = "{ courses(first: 20) { nodes { id %s } } }"

LISTS = [
    ListOf("courses", "{ %s }", _COURSE, _COURSE_ORDERS, _COURSE_FILTERS),
    ListOf("users", "{ %s }", _USER, _USER_ORDERS, _USER_FILTERS),
    *[
        ListOf(name, around, node, orders, filters)
        for around in (_IN_A_COURSE, _IN_COURSES)
        for name, node, orders, filters in (
            ("sections", _SECTION, [], _SECTION_FILTERS),
            ("enrollments", _ENROLLMENT, _ENROLLMENT_ORDERS, _ENROLLMENT_FILTERS),
            ("members", _MEMBER, [], _ENROLLMENT_FILTERS),
        )
    ],
    *[
        ListOf("enrollments", around, _ENROLLMENT, _ENROLLMENT_ORDERS, _ENROLLMENT_FILTERS)
        for around in (
            '{ section(by: {sisId: "X7"}) { id %s } }',
            '{ user(by: {loginId: "login77"}) { id %s } }',
            '{ course(by: {sisId: "C7"}) { sections { nodes { %s } } } }',
            '{ users(filter: {loginIds: ["login7", "login77"]}) { nodes { id %s } } }',
        )
    ],
]
OTHERS = [
    '{ user(by: {canvasId: "77"}) { name identities { value } } }',
    '{ user(by: {ltiSub: "sub77"}) { name } }',
    '{ course(by: {canvasId: "7"}) { name } }',
    '{ course(by: {integrationId: "I7"}) { name } }',
    '{ course(by: {ltiContextId: "ctx7"}) { name } }',
    '{ section(by: {canvasId: "7"}) { name course { name } } }',
    '{ enrollment(by: {canvasId: "700"}) { user { name } course { name term { name } } section { name } } }',
    '{ account(by: {canvasId: "3"}) { name } }',
    '{ course(by: {sisId: "C7"}) { enrollmentCounts { totalCount counts { type count section { name } } } } }',
    "{ courses(first: 20) { nodes { enrollmentCounts { totalCount } } } }",
    """{ courses(first: 20) { nodes { sections { nodes { enrollments(first: 5) { nodes { user { name } } } } }
        enrollments(first: 5) { nodes { provenance { asOf } user { identities { value } } } } } } }""",
    "{ changes(first: 5) { nodes { kind subject { id } } } }",
    "{ changes(first: 5, filter: {kinds: [CREATED]}) { nodes { kind } } }",
    '{ changes(first: 5, filter: {courses: [{sisId: "C7"}]}) { nodes { kind } } }',
]


def queries() -> Iterator[tuple[str, ...]]:
    """Each alone, or with others that go on from the end of its page, which is their variable `at`."""
    for one in LISTS:
        yield (_text(one, "first: 5", also=_WHOLE),)
        for narrowed in one.filters:
            yield (_text(one, f"first: 5, filter: {{{narrowed}}}", also=_WHOLE),)
        for order, direction in product(one.orders or [""], ("ASC", "DESC")):
            ordered = f", orderBy: {{field: {order}, direction: {direction}}}" if order else ""
            yield tuple(_paged(one, ordered))
    for text in OTHERS:
        yield (text,)


def _paged(one: ListOf, ordered: str) -> Iterator[str]:
    yield _text(one, f"first: 5{ordered}")
    if "nodes" not in one.around:  # a cursor is of one parent's list
        yield _text(one, f"first: 5{ordered}, after: $at")
    if one.backwards:
        yield _text(one, f"last: 5{ordered}, before: $at")
        yield _text(one, f"last: 5{ordered}")


def _text(one: ListOf, arguments: str, *, also: str = "") -> str:
    listed = f"{one.name}({arguments}) {{ nodes {{ {one.node} }} pageInfo {{ endCursor }} {also} }}"
    declared = "($at: String)" if "$at" in arguments else ""
    return f"query{declared} {one.around % listed}"
