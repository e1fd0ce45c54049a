"""What checked claims and forms mean, as tables: places, people, ids that say nothing, and a migration's proof."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.lti import form
from gateway.lti.claims import SignedClaims, launch_from, migration_proof
from gateway.lti.launch import Launch, Place
from models.roster import EnrollmentType, IdentityKind
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import CONSUMER_KEY, CONSUMER_SECRET, NOON, Tool
from tests.gateway.lti.platform import LTI, course_claims

SECRETS = {CONSUMER_KEY: CONSUMER_SECRET}


def launch(**changes: Any) -> Launch:
    claims = {**course_claims(NOON, "nonce"), **changes}
    return launch_from(
        SignedClaims({name: value for name, value in claims.items() if value is not None}),
        scope="platform",
        shard=1,
        consumer_secrets=SECRETS,
    )


def context(*types: str) -> dict[str, Any]:
    return {"id": "x", "title": "X", "type": list(types)}


PLACES: dict[str, tuple[dict[str, Any] | None, Place]] = {
    "course of Canvas": (context(f"{platform.V2}/course#CourseOffering"), Place.COURSE),
    "course of Moodle": (context(f"{platform.V2}/course#CourseSection"), Place.COURSE),
    "short name": (context("CourseOffering"), Place.COURSE),
    "URN of 1.1": (context("urn:lti:context-type:ims/lis/CourseSection"), Place.COURSE),
    "account of Canvas": (context("Account"), Place.ACCOUNT),
    "somebody's own pages": (context("User"), Place.ELSEWHERE),
    "group": (context(f"{platform.V2}/course#Group"), Place.ELSEWHERE),
    "nowhere": (None, Place.ELSEWHERE),
    "an id longer than any": ({"id": "x" * 256}, Place.ELSEWHERE),
}


@pytest.mark.parametrize(("where", "place"), PLACES.values(), ids=PLACES)
def test_where_a_launch_comes_from(where: dict[str, Any] | None, place: Place) -> None:
    found = launch(**{f"{LTI}context": where})

    assert place is found.place
    if place is not Place.COURSE:
        assert {} == found.course
        assert () == found.types


CANVAS_11 = {"tool_consumer_info_product_family_code": "canvas", "context_id": "c"}
PLACES_11: dict[str, tuple[dict[str, str], Place]] = {
    "a label, which only courses have": ({**CANVAS_11, "context_label": "CS"}, Place.COURSE),
    "a course's id": ({**CANVAS_11, "custom_canvas_course_id": "4"}, Place.COURSE),
    "an account's id": ({**CANVAS_11, "custom_canvas_account_id": "1"}, Place.ACCOUNT),
    "a variable that was left as it is": (
        {
            **CANVAS_11,
            "custom_canvas_course_id": "$Canvas.course.id",
            "custom_canvas_account_id": "1",
        },
        Place.ACCOUNT,
    ),
    "nothing to tell by": (CANVAS_11, Place.ELSEWHERE),
    "another platform": ({"context_id": "c"}, Place.COURSE),
    "nowhere": ({}, Place.ELSEWHERE),
}


@pytest.mark.parametrize(("fields", "place"), PLACES_11.values(), ids=PLACES_11)
def test_where_a_launch_of_11_comes_from(fields: dict[str, str], place: Place) -> None:
    signed = {"resource_link_id": "r", "user_id": "u", **fields}

    assert place is form.launch_from(signed, scope="key", shard=1, now=NOON).place


def values(found: Launch, kind: IdentityKind) -> set[str]:
    return {alias.value for alias in found.aliases if alias.kind is kind}


CUSTOM = course_claims(NOON, "")[f"{LTI}custom"]


@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        ({"canvas_user_global_id": "170000000002231"}, {"170000000002231"}),
        ({"canvas_user_id": "2231"}, {"10000000002231"}),
        (
            {"canvas_user_id": "2231", "canvas_root_account_global_id": "170000000000001"},
            {"170000000002231"},
        ),
        ({"canvas_user_id": "17~2231"}, {"170000000002231"}),
        ({"canvas_user_id": 2231}, {"10000000002231"}),
        ({"canvas_user_id": "$Canvas.user.id"}, set()),
        ({"canvas_user_id": "somebody"}, set()),
        ({"canvas_user_id": "0"}, set()),
        ({"canvas_user_id": None}, set()),
        ({}, set()),
    ],
)
def test_canvas_ids_become_global(custom: dict[str, Any], expected: set[str]) -> None:
    assert expected == values(launch(**{f"{LTI}custom": custom}), IdentityKind.CANVAS_GLOBAL_ID)


def test_the_rosters_address_tells_the_course_where_no_custom_field_does() -> None:
    found = launch(**{f"{LTI}custom": {}})

    assert 10000000000412 == found.course["canvas_id"]


def test_ids_that_are_longer_than_any_and_texts_that_no_database_keeps_are_left_out() -> None:
    custom = {"canvas_user_uuid": "u" * 65, "canvas_user_login_id": "l" * 256}

    found = launch(**{f"{LTI}custom": custom, "name": "A\0da", "email": " "})

    assert "Ada" == found.person["name"]
    assert not {"uuid", "login_id", "email"} & found.person.keys()


@pytest.mark.parametrize(
    ("names", "types"),
    [
        ("TeacherEnrollment,TaEnrollment", (EnrollmentType.TEACHER, EnrollmentType.TA)),
        ("TaEnrollment", (EnrollmentType.TA,)),
        ("Our own role", (EnrollmentType.TEACHER,)),
        ("TaEnrollment,Our own role", (EnrollmentType.TEACHER,)),
        ("$Canvas.membership.roles", (EnrollmentType.TEACHER,)),
    ],
)
def test_canvas_own_names_tell_two_roles_apart(
    names: str, types: tuple[EnrollmentType, ...]
) -> None:
    """Where one of them is the school's own, only LTI's roles say what it is."""
    assert types == launch(**{f"{LTI}custom": {"canvas_membership_roles": names}}).types


def test_the_worked_proof_of_a_migration() -> None:
    """Fact sheet lti-launch.md §3.5, and the sample of the LTI migration guide."""
    claims = {
        "iss": "https://canvas.instructure.com",
        "aud": "170000000000417",
        "exp": 1760003600,
        "nonce": "3u9cZrG0aPq7",
        f"{LTI}deployment_id": platform.DEPLOYMENT,
    }
    guide = {
        "iss": "https://lmsvendor.com",
        "aud": "PM48OJSfGDTAzAo",
        "exp": 1551290856,
        "nonce": "172we8671fd8z",
        f"{LTI}deployment_id": "689302",
    }

    assert b"pIvrc3ZzwLIdtSdN76quOi2s+meY7vM+NPyUh3mlcuk=" == migration_proof(
        SignedClaims(claims), "roster-demo-key", "s3cret&with/odd+chars"
    )
    assert b"lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps=" == migration_proof(
        SignedClaims(guide), "179248902", "my-lti11-secret"
    )


def migrating(**claim: str) -> set[str]:
    changes = {f"{LTI}lti11_legacy_user_id": "", f"{LTI}lti1p1": {"user_id": "old", **claim}}
    return values(launch(**changes), IdentityKind.LTI11_USER_ID)


def test_a_migration_that_names_a_key_counts_with_its_proof_alone() -> None:
    proof = migration_proof(
        SignedClaims(course_claims(NOON, "nonce")), CONSUMER_KEY, CONSUMER_SECRET
    ).decode()

    assert {"old"} == migrating()
    assert {"old"} == migrating(oauth_consumer_key=CONSUMER_KEY, oauth_consumer_key_sign=proof)
    assert set() == migrating(oauth_consumer_key=CONSUMER_KEY, oauth_consumer_key_sign="forged")
    assert set() == migrating(oauth_consumer_key=CONSUMER_KEY)
    assert set() == migrating(oauth_consumer_key="unknown", oauth_consumer_key_sign=proof)


async def test_a_course_known_by_its_context_alone_joins_the_one_that_a_report_knew(
    tool: Tool,
) -> None:
    async with tool.browser() as somebody:
        unnamed: dict[str, Any] = {f"{LTI}custom": {}, f"{LTI}lis": {}, platform.NRPS: None}
        await somebody.launch(**unnamed)
        await tool.database.transact(
            lambda tx: tx.run(
                "insert into course (institution_id, canvas_id, name, sort_key, search_key, source, as_of)"
                " values ((select id from institution), 170000000000412, 'Reported', '', '', 'REPORT', $1)",
                datetime(2026, 3, 1, tzinfo=UTC),
            )
        )
        await somebody.launch()
        await somebody.launch()

    nameless, reported = await tool.rows("course")
    assert (None, platform.COURSE_CONTEXT) == (
        nameless["lti_context_id"],
        reported["lti_context_id"],
    )
    assert nameless["removed_at"] is not None
    assert [reported["id"]] == [row["course_id"] for row in await tool.rows("membership")]
    assert {reported["id"]} == {row["course_id"] for row in await tool.sessions()}


SECTIONS: dict[str, tuple[dict[str, Any], frozenset[int] | None]] = {
    "not limited": ({"canvas_section_restricted": "false", "canvas_section_ids": "7"}, None),
    "not told": ({"canvas_section_ids": "7"}, None),
    "left as it was": ({"canvas_section_restricted": "$Canvas.course.sectionRestricted"}, None),
    "limited": (
        {"canvas_section_restricted": "true", "canvas_section_ids": "7,8"},
        frozenset({10_000_000_000_007, 10_000_000_000_008}),
    ),
    "limited to nobody knows what": ({"canvas_section_restricted": "true"}, frozenset()),
    "odd ids": ({"canvas_section_restricted": "true", "canvas_section_ids": "x,,"}, frozenset()),
}


@pytest.mark.parametrize(("custom", "sections"), SECTIONS.values(), ids=SECTIONS)
def test_whose_sections_are_all_they_see(
    custom: dict[str, Any], sections: frozenset[int] | None
) -> None:
    assert sections == launch(**{f"{LTI}custom": custom}).sections


def test_a_links_author_can_limit_and_not_unlimit() -> None:
    """Custom fields of a link are its author's; only what takes something away is believed."""
    link = {f"{LTI}resource_link": {"id": "a link"}, "https://www.instructure.com/placement": None}
    custom = {"canvas_section_restricted": "true", "canvas_section_ids": "7"}

    assert frozenset() == launch(**link, **{f"{LTI}custom": custom}).sections


def test_an_accounts_roles_are_named_where_canvas_names_them() -> None:
    claims = SignedClaims(platform.account_claims(NOON, "nonce"))
    found = launch_from(claims, scope="platform", shard=1, consumer_secrets=SECRETS)

    assert "Account Admin" in found.roles
    assert () == found.types
    assert "TeacherEnrollment" not in launch().roles
