"""Who somebody is, launch after launch: the match table of identity.md §5, on the store, and two launches at once."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.uow import Database
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import NOON, Person, Tool
from tests.gateway.lti.platform import LEARNER, LTI

ROOT = Path(__file__).parents[3]
CUSTOM = f"{LTI}custom"
LIS = f"{LTI}lis"


def somebody(
    sub: str,
    legacy: str = "",
    *,
    sis: str | None = None,
    email: str | None = None,
    **custom: str,
) -> dict[str, Any]:
    """A launch that tells of its person no more than this."""
    return {
        "sub": sub,
        f"{LTI}lti11_legacy_user_id": legacy,
        f"{LTI}lti1p1": {},
        f"{LTI}roles": [LEARNER],
        LIS: {"person_sourcedid": sis} if sis else {},
        CUSTOM: custom,
        "email": email,
        "name": None,
        "given_name": None,
        "family_name": None,
        "picture": None,
    }


async def people(tool: Tool) -> list[int | None]:
    """Of each session, who it was."""
    return [row["person_id"] for row in await tool.sessions()]


FIRST = somebody(
    "sub-a",
    "legacy-a",
    sis="S-1",
    email="a@example.edu",
    canvas_user_global_id="170000000000005",
    canvas_user_uuid="uuid-a",
    canvas_user_integration_id="I-1",
    canvas_user_login_id="ada",
)

# A second launch, whether it is the same person, and what the desk has to decide.
MATCHES: dict[str, tuple[dict[str, Any], bool, list[str]]] = {
    "1: the same sub": (somebody("sub-a"), True, []),
    "1: the same sub, another SIS id": (somebody("sub-a", sis="S-2"), True, []),
    "2: legacy id": (somebody("sub-b", "legacy-a"), True, []),
    "3: Canvas id": (somebody("sub-b", canvas_user_global_id="170000000000005"), True, []),
    "4: uuid": (somebody("sub-b", canvas_user_uuid="uuid-a"), True, []),
    "4: uuid, but another Canvas id": (
        somebody("sub-b", canvas_user_uuid="uuid-a", canvas_user_global_id="170000000000006"),
        False,
        ["canvas_uuid"],
    ),
    # The first was seen in this course under another sub: never relinked silently.
    "5: SIS id": (somebody("sub-b", sis="S-1"), False, ["sis_user_id"]),
    "5: SIS id, but another Canvas id": (
        somebody("sub-b", sis="S-1", canvas_user_global_id="170000000000006"),
        False,
        ["sis_user_id"],
    ),
    "6: integration id": (
        somebody("sub-b", canvas_user_integration_id="I-1"),
        False,
        ["integration_id"],
    ),
    "7: login, which schools give anew": (
        somebody("sub-b", canvas_user_login_id="ada"),
        False,
        ["login_id"],
    ),
    "8: e-mail, never but by a person": (
        somebody("sub-b", email="A@Example.edu"),
        False,
        ["email"],
    ),
    "nothing in common": (somebody("sub-b", "legacy-b", sis="S-2"), False, []),
    "variables that were left as they are": (
        somebody("sub-b", canvas_user_sis_id="$Canvas.user.sisSourceId"),
        False,
        [],
    ),
    "SIS ids differ by a leading zero": (somebody("sub-b", sis="S-01"), False, []),
    "SIS ids differ in case": (somebody("sub-b", sis="s-1"), False, []),
}


@pytest.mark.parametrize(("second", "same", "conflicts"), MATCHES.values(), ids=MATCHES)
async def test_the_match_table(
    tool: Tool, person: Person, second: dict[str, Any], *, same: bool, conflicts: list[str]
) -> None:
    await person.launch(**FIRST)

    answer = await person.launch(**second)

    assert 303 == answer.status_code, answer.text
    one, other = await people(tool)
    assert one is not None
    assert other is not None
    assert same == (one == other)
    assert conflicts == [row["kind"] for row in await tool.rows("identity_conflict")]


async def test_a_sis_id_joins_in_a_course_where_nobody_was_seen_under_another_sub(
    tool: Tool, person: Person
) -> None:
    """A report brought the person, and now they launch for the first time."""
    await person.launch(**FIRST)
    await tool.database.transact(
        lambda tx: tx.run(
            "update identity set ended_at = $1, exclusive = null where kind like 'lti%'", NOON
        )
    )

    await person.launch(**somebody("sub-b", sis="S-1"))

    one, other = await people(tool)
    assert one == other


async def test_merged_people_meet_again_by_the_legacy_id(tool: Tool, person: Person) -> None:
    """After a merge in Canvas, A's old sub comes with B's legacy id, in the courses where A was."""
    await person.launch(**somebody("sub-b", "legacy-b"))

    await person.launch(**somebody("sub-a", "legacy-b"))

    one, other = await people(tool)
    assert one == other


async def test_merged_people_who_were_both_known_are_shown_at_the_desk(
    tool: Tool, person: Person
) -> None:
    await person.launch(**somebody("sub-a", "legacy-a"))
    await person.launch(**somebody("sub-b", "legacy-b"))

    for _ in range(2):  # shown once
        await person.launch(**somebody("sub-a", "legacy-b"))

    a, b, *again = await people(tool)
    assert [a, a] == again
    [conflict] = await tool.rows("identity_conflict")
    assert ("lti11_user_id", a, b) == (
        conflict["kind"],
        conflict["person_id"],
        conflict["other_person_id"],
    )
    assert "merge" in conflict["proposal"]


async def test_two_people_behind_one_launch_wait_for_the_desk(tool: Tool, person: Person) -> None:
    await person.launch(**somebody("sub-a", "legacy-a"))
    await person.launch(**somebody("sub-b", "legacy-b"))
    both = {**somebody("sub-c", "legacy-a"), f"{LTI}lti1p1": {"user_id": "legacy-b"}}

    answer = await person.launch(**both)

    assert 403 == answer.status_code
    assert "<pre>undecided ·" in answer.text
    assert 2 == len(await tool.sessions())
    assert 1 == len(await tool.rows("identity_conflict"))


PRIVACY: dict[str, tuple[str, ...]] = {
    "anonymous": ("name", "given_name", "family_name", "email", "picture", LIS),
    "name_only": ("email", "picture"),
    "email_only": ("name", "given_name", "family_name", "picture", LIS),
    "public": (),
}


@pytest.mark.parametrize("hidden", PRIVACY.values(), ids=PRIVACY)
async def test_privacy_levels_keep_people_apart(
    tool: Tool, person: Person, hidden: tuple[str, ...]
) -> None:
    for number in (1, 2):
        told = somebody(f"sub-{number}", f"legacy-{number}", sis=f"S-{number}")
        told |= {"name": "Pat Smith", "email": "pat@example.edu"}

        await person.launch(**{**told, **dict.fromkeys(hidden)})

    one, other = await people(tool)
    assert one != other


async def test_a_poorer_launch_blanks_nothing(tool: Tool, person: Person) -> None:
    await person.launch()
    before = await tool.rows("person")
    tool.clock.forward(minutes=1)

    await person.launch(**somebody(platform.SUB))

    after = await tool.rows("person")
    kept = ("name", "email", "sis_id", "login_id", "search_key")
    assert [{name: row[name] for name in kept} for row in before] == [
        {name: row[name] for name in kept} for row in after
    ]


async def test_a_richer_source_is_not_overwritten(tool: Tool, person: Person) -> None:
    await person.launch()
    await tool.database.transact(
        lambda tx: tx.run("update person set name = 'Zoë Reported', name_source = 'REPORT'")
    )
    tool.clock.forward(minutes=1)

    await person.launch()

    [known] = await tool.rows("person")
    assert "Zoë Reported" == known["name"]


async def test_nobody_is_made_where_the_school_says_so(refusing_tool: Tool) -> None:
    async with refusing_tool.browser() as stranger:
        answer = await stranger.launch()

    assert 403 == answer.status_code
    assert "<pre>unmatched ·" in answer.text
    assert [] == await refusing_tool.sessions() + await refusing_tool.rows("person")


async def test_two_first_launches_at_once_make_one_person(tool: Tool, person: Person) -> None:
    await asyncio.gather(*(person.launch() for _ in range(8)))

    assert 1 == len(await tool.rows("person"))
    assert 1 == len(await tool.rows("course"))
    assert 8 == len(await tool.sessions())


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_two_first_launches_in_two_processes_make_one_person(
    tool: Tool, database: Database
) -> None:
    """Each process arrives with the same fifty strangers, at the same time."""
    arrivals = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.gateway.lti.arriving", database.url, cwd=ROOT
        )
        for _ in range(2)
    ]

    assert [0, 0] == [await one.wait() for one in arrivals]

    assert 50 == len(await tool.rows("person"))
    assert 100 == len(await tool.sessions())
    assert 50 == len([row for row in await tool.rows("identity") if row["kind"] == "lti13_sub"])
