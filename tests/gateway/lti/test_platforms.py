"""Which registration a login is for, which institution a launch is for, and what happens to a deployment nobody knows."""

import pytest

from gateway.settings import Institution
from gateway.store import institutions, registrations
from gateway.uow import Database
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import (
    Clock,
    Person,
    Tool,
    registration,
    school,
    settings_of,
    tool_for,
)
from tests.gateway.lti.platform import LTI, Platform

BETA = "https://canvas.beta.instructure.com"


async def launched(tool: Tool, **login: str | None) -> tuple[int, str]:
    """Status of a launch that begins with this login, and what its page says."""
    async with tool.browser() as client:
        begun = await client.login(**login)
        claims = platform.course_claims(tool.clock(), begun.nonce)
        if deployment := login.get("deployment_id"):
            claims[f"{LTI}deployment_id"] = deployment
        claims["iss"] = login.get("iss") or platform.ISSUER
        answer = await client.post(id_token=platform.signed(claims), state=begun.state)
    return answer.status_code, answer.text


async def make(database: Database, clock: Clock, canvas: Platform, *schools: Institution) -> Tool:
    return await tool_for(database, clock, canvas, settings_of(*schools))


async def slugs(tool: Tool) -> list[str]:
    """The institutions whose sessions there are, in the order of the launches."""
    rows = await tool.sessions()
    found = [await institutions.by_id(tool.database, row["institution_id"]) for row in rows]
    return [one.slug for one in found if one is not None]


async def test_the_deployment_tells_the_schools_of_a_shared_key_apart(
    database: Database, clock: Clock, canvas: Platform
) -> None:
    one = school(slug="one", lti13=(registration(deployment_ids=("1:a",)),), lti11=())
    two = school(slug="two", lti13=(registration(deployment_ids=("2:b",)),), lti11=())
    tool = await make(database, clock, canvas, one, two)

    for deployment in ("2:b", "1:a"):
        assert 303 == (await launched(tool, deployment_id=deployment))[0]

    assert ["two", "one"] == await slugs(tool)


async def test_beta_is_another_platform_than_production(
    database: Database, clock: Clock, canvas: Platform
) -> None:
    """Its ids repeat those of production: only the issuer differs."""
    production = school(slug="production", lti11=())
    beta = school(slug="beta", lti13=(registration(issuer=BETA),), lti11=())
    tool = await make(database, clock, canvas, production, beta)

    await launched(tool)
    await launched(tool, iss=BETA)

    assert ["production", "beta"] == await slugs(tool)
    assert 2 == len(await tool.rows("person"))


async def test_two_installs_that_share_issuer_and_client_are_told_apart_by_the_login(
    database: Database, clock: Clock, canvas: Platform
) -> None:
    """Self-hosted Canvas calls itself canvas.instructure.com too."""
    mine = registration(
        jwks_url="https://mine.example.edu/jwks", auth_url="https://mine.example.edu/auth"
    )
    own = school(slug="own", lti13=(mine,), lti11=())
    other = school(slug="other", lti13=(registration(deployment_ids=("9:z",)),), lti11=())
    tool = await make(database, clock, canvas, own, other)

    async with tool.browser() as client:
        refused = await client.client.get(
            "/lti/login", params={"iss": platform.ISSUER, "login_hint": "x"}
        )
        begun = await client.client.get(
            "/lti/login",
            params={
                "iss": platform.ISSUER,
                "login_hint": "x",
                "deployment_id": platform.DEPLOYMENT,
            },
        )

    assert 400 == refused.status_code
    assert begun.headers["location"].startswith("https://mine.example.edu/auth?")


async def test_a_login_may_leave_out_the_client_where_there_is_one(tool: Tool) -> None:
    """Others than Canvas do."""
    assert 303 == (await launched(tool, client_id=None, deployment_id=None))[0]


async def test_an_unknown_deployment_is_refused_and_shown_until_an_operator_accepts_it(
    database: Database, clock: Clock, canvas: Platform
) -> None:
    tool = await make(database, clock, canvas, school(lti13=(registration(deployment_ids=()),)))
    demo = await institutions.by_slug(database, "demo")
    assert demo is not None

    status, page = await launched(tool)

    assert 403 == status
    assert "not accepted yet" in page
    assert [] == await tool.sessions()
    [waiting] = await registrations.deployments(database, demo.id)
    assert (platform.DEPLOYMENT, "Example School", None) == (
        waiting.deployment_id,
        waiting.platform_name,
        waiting.accepted_at,
    )

    assert await registrations.accept(database, demo.id, waiting.id, clock())
    assert 303 == (await launched(tool))[0]

    assert await registrations.forget(database, demo.id, waiting.id)
    assert 403 == (await launched(tool))[0]


async def test_a_deployment_is_accepted_for_one_institution(
    database: Database, clock: Clock, canvas: Platform
) -> None:
    schools = [
        school(slug=slug, lti13=(registration(deployment_ids=(known,)),), lti11=())
        for slug, known in (("one", "1:a"), ("two", "2:b"))
    ]
    tool = await make(database, clock, canvas, *schools)
    await launched(tool, deployment_id="3:c")
    two = await institutions.by_slug(database, "two")
    assert two is not None
    [waiting] = await registrations.deployments(database, two.id)

    await registrations.accept(database, two.id, waiting.id, clock())
    await launched(tool, deployment_id="3:c")

    assert ["two"] == await slugs(tool)


async def registered(tool: Tool, guid: str | None) -> None:
    demo = await institutions.by_slug(tool.database, "demo")
    assert demo is not None
    await registrations.keep(
        tool.database,
        registrations.Registration(
            institution_id=demo.id,
            issuer=platform.ISSUER,
            client_id=platform.CLIENT_ID,
            auth_url=platform.AUTH_URL,
            token_url=platform.TOKEN_URL,
            jwks_url=platform.JWKS_URL,
            platform_guid=guid,
        ),
        tool.clock(),
    )
    await launched(tool)
    for waiting in await registrations.deployments(tool.database, demo.id):
        await registrations.accept(tool.database, demo.id, waiting.id, tool.clock())


@pytest.mark.parametrize(
    ("guid", "status"),
    [
        ("Hq3sWmT9xLr2VbN8cKdP5gYf1JzQa7uE0oRi4tXy:canvas-lms", 303),
        (None, 303),
        ("another-school:canvas-lms", 403),
    ],
)
async def test_a_registration_of_its_own_is_good_for_the_school_that_made_it(
    database: Database, clock: Clock, canvas: Platform, guid: str | None, status: int
) -> None:
    tool = await make(database, clock, canvas, school(lti13=()))
    await registered(tool, guid)

    assert status == (await launched(tool))[0]


async def test_the_login_asks_the_platform_for_what_canvas_requires(person: Person) -> None:
    begun = await person.login()

    fixed = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": platform.CLIENT_ID,
        "redirect_uri": f"{platform.PUBLIC_URL}/lti/launch",
        "login_hint": "535fa085f22b4655f48cd5a36a9215f64c062838",
        "lti_message_hint": "a.message.hint",
    }
    assert fixed == {n: v for n, v in begun.asked.items() if n not in ("state", "nonce")}
    assert len(begun.state) >= 43
    assert len(begun.nonce) >= 32


async def test_where_the_shard_is_told_what_was_keyed_before_is_keyed_anew(
    tool: Tool, person: Person
) -> None:
    """Until then a school's Canvas counts as shard 1."""

    async def earlier(tx: object) -> None:
        await tx.run(  # type: ignore[attr-defined]  # a transaction
            "insert into course (institution_id, canvas_id, sort_key, search_key, source, as_of)"
            " values ((select id from institution), 10000000000412, '', '', 'REPORT', $1)",
            tool.clock(),
        )

    await tool.database.transact(earlier)

    await person.launch()

    [course] = await tool.rows("course")
    assert (170000000000412, platform.COURSE_CONTEXT) == (
        course["canvas_id"],
        course["lti_context_id"],
    )
    [known] = await tool.database.rows("select shard from institution")
    assert 17 == known["shard"]
