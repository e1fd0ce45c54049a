"""Each credential, scope and permission taken away in turn: the doctor names exactly that, and where to give it back."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from gateway.canvas.oauth2 import READ_SCOPES
from gateway.cli import main
from gateway.config_file import CredentialUrl, Secret
from gateway.doctor.examining import examined
from gateway.doctor.findings import PERMISSIONS, Finding
from gateway.http.client import Client
from gateway.lti.launches import Launches
from gateway.settings import Institution, Lti13, Oauth, Server, Settings
from gateway.store import canvas_tokens, institutions, tokens
from gateway.store.canvas_tokens import Value
from gateway.uow import Database
from tests.upstream import Upstream as Twin
from tests.upstream import upstream
from twin import developer_keys
from twin.developer_keys import API_KEY, LTI_KEY, key_id
from twin.outgoing import Outgoing
from twin.records import DeveloperKey
from twin.scopes import API_SCOPES

PUBLIC_URL = "http://127.0.0.1:8000"
SECRET = "twin-oauth-secret"


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  signatures are checked against the real time


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2):
        yield


@pytest.fixture
def twin() -> Iterator[Twin]:
    with upstream(courses=10, users=60, big=20, enrollments=60) as made:
        yield made


def api_key(twin: Twin) -> DeveloperKey:
    return twin.school.developer_keys[key_id(twin.school, API_KEY)]


def lti_key(twin: Twin) -> DeveloperKey:
    return twin.school.developer_keys[key_id(twin.school, LTI_KEY)]


@dataclass
class Patient:
    """A configured institution, of which tests take things away."""

    twin: Twin
    database: Database
    institution: Institution
    public_url: str = PUBLIC_URL
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.configure()

    def configure(self, **changes: Any) -> None:
        fields = {name: getattr(self.institution, name) for name in Institution.__struct_fields__}
        self.institution = Institution(**fields | changes)
        self.settings = Settings(
            server=Server(
                public_url=self.public_url,
                database_url=CredentialUrl(self.database.url),
                secret_key=(Secret("not so secret"),),
            ),
            institutions=(self.institution,),
        )

    async def examined(self) -> list[Finding]:
        async with Client(allows_private_networks=True) as http:
            launches = Launches.build(self.settings, self.database, http, self.twin.clock.now)
            jwks = await launches.own_keys.jwks()
            if not isinstance(self.twin.app.state.outgoing, Closed):
                answer = httpx.Response(200, json=jwks)
                self.twin.app.state.outgoing = Outgoing(httpx.MockTransport(lambda _: answer))
            return [
                one
                async for one in examined(
                    self.settings, self.institution, self.database, http, self.twin.clock.now
                )
            ]

    async def missing(self) -> dict[str, str]:
        return {one.key: one.mend for one in await self.examined() if not one.works}

    def take_from_admins(self, permission: str) -> None:
        role = next(one for one in self.twin.school.roles.values() if one.name == "AccountAdmin")
        self.twin.school.update(role, overrides={**role.overrides, permission: False})

    def scope_the_admins_key(self, *, without: str | None = None, includes: bool = True) -> None:
        """The token's own key, which Canvas makes for manual tokens, replaced by a scoped one."""
        token = next(
            one
            for one in self.twin.school.tokens.values()
            if one.token == self.twin.cast.tokens["admin"]
        )
        key = api_key(self.twin)
        scopes = tuple(sorted(set(API_SCOPES) - {without}))
        self.twin.school.update(key, require_scopes=True, scopes=scopes, allow_includes=includes)
        self.twin.school.update(token, developer_key_id=key.id, scopes=scopes)


class Closed(Outgoing):
    """A Canvas that cannot fetch our keys."""


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    """Which database it is changes nothing of what Canvas says."""
    return str(request.param)


@pytest.fixture
async def patient(twin: Twin, database: Database) -> Patient:
    await institutions.ensure(database, slug="demo", canvas_url=twin.url)
    return Patient(
        twin,
        database,
        Institution(
            slug="demo",
            canvas_url=twin.url,
            account_id="1",
            admin_token=Secret(twin.cast.tokens["admin"]),
            oauth=Oauth(client_id=str(api_key(twin).id), client_secret=Secret(SECRET)),
            lti13=(
                Lti13(
                    issuer="https://canvas.instructure.com",
                    client_id=str(lti_key(twin).id),
                    auth_url=f"{twin.url}/api/lti/authorize_redirect",
                    token_url=f"{twin.url}/login/oauth2/token",
                    jwks_url=f"{twin.url}/api/lti/security/jwks",
                ),
            ),
        ),
    )


async def test_where_everything_is_there_nothing_is_missing(patient: Patient) -> None:
    findings = await patient.examined()

    assert [str(one) for one in findings if not one.works] == []
    assert {"admin_token", "acting", "client_secret", "redirect_uri", "nrps", "jwks_url"} <= {
        one.key for one in findings
    }


@pytest.mark.parametrize("permission", [one.name for one in PERMISSIONS])
async def test_a_permission_that_is_missing_is_named(patient: Patient, permission: str) -> None:
    patient.take_from_admins(permission)

    missing = await patient.missing()

    assert {permission} == missing.keys()
    label = next(one.label for one in PERMISSIONS if one.name == permission)
    assert label in missing[permission]
    assert "Account Roles" in missing[permission]


async def test_what_writing_takes_is_asked_where_somebody_may_write(patient: Patient) -> None:
    institution = await institutions.by_slug(patient.database, "demo")
    assert institution is not None
    taken = {"import_sis", "remove_student_from_course"}
    for permission in taken:
        patient.take_from_admins(permission)
    assert {} == await patient.missing()

    await tokens.create(
        patient.database,
        institution_id=institution.id,
        name="writer",
        scopes=("roster:write",),
        now=now(),
    )

    missing = await patient.missing()
    assert taken == missing.keys()
    assert "(import_sis)" in missing["import_sis"]


SCOPES_TRIED = (
    "url:GET|/api/v1/users/:id",
    "url:GET|/api/v1/accounts",
    "url:GET|/api/v1/accounts/:id",
    "url:GET|/api/v1/accounts/:account_id/enrollments/:id",
    "url:GET|/api/v1/accounts/:account_id/permissions",
    "url:GET|/api/v1/accounts/:account_id/reports",
    "url:GET|/api/v1/accounts/:account_id/users",
    "url:GET|/api/v1/accounts/:account_id/courses",
    "url:GET|/api/v1/users/:user_id/enrollments",
    "url:GET|/api/v1/courses/:id",
    "url:GET|/api/v1/courses/:course_id/permissions",
    "url:GET|/api/v1/courses/:course_id/enrollments",
    "url:GET|/api/v1/courses/:course_id/sections",
    "url:GET|/api/v1/sections/:id",
    "url:GET|/api/v1/sections/:section_id/enrollments",
)


@pytest.mark.parametrize("scope", SCOPES_TRIED)
async def test_a_scope_that_is_missing_is_named(patient: Patient, scope: str) -> None:
    patient.configure(oauth=None)
    patient.scope_the_admins_key(without=scope)

    missing = await patient.missing()

    assert {"admin_token scopes"} == missing.keys()
    assert scope in re.split("[ ;]", missing["admin_token scopes"])
    assert "Enforce Scopes" in missing["admin_token scopes"]


async def test_a_scoped_key_with_all_of_them_is_well(patient: Patient) -> None:
    patient.configure(oauth=None)
    patient.scope_the_admins_key()

    assert {} == await patient.missing()


async def test_a_key_that_drops_includes_is_named(patient: Patient) -> None:
    patient.configure(oauth=None)
    patient.scope_the_admins_key(includes=False)

    missing = await patient.missing()

    assert {"includes"} == missing.keys()
    assert "Allow Include Parameters" in missing["includes"]


async def test_an_owner_who_is_in_one_section_alone_is_named(patient: Patient) -> None:
    section = patient.twin.cast.sections["demo_b"]
    patient.twin.change(
        "enrol",
        user=str(patient.twin.cast.people["admin"].id),
        section=str(section.id),
        role="TeacherEnrollment",
        limited=True,
    )

    missing = await patient.missing()

    assert {"own_enrollments"} == missing.keys()
    assert str(section.course_id) in missing["own_enrollments"]


Take = Callable[[Patient], None]


def _wrong_token(patient: Patient) -> None:
    patient.configure(admin_token=Secret("1~wrong"))


def _unreachable(patient: Patient) -> None:
    patient.configure(canvas_url="http://127.0.0.1:9", oauth=None, lti13=())


def _wrong_account(patient: Patient) -> None:
    patient.configure(account_id="99999")


def _wrong_client(patient: Patient) -> None:
    patient.configure(oauth=Oauth(client_id="10000000009999", client_secret=Secret(SECRET)))


def _wrong_secret(patient: Patient) -> None:
    client_id = str(api_key(patient.twin).id)
    patient.configure(oauth=Oauth(client_id=client_id, client_secret=Secret("wrong")))


def _other_redirect(patient: Patient) -> None:
    uris = ("https://elsewhere.example.edu/oauth/callback",)
    patient.twin.school.update(api_key(patient.twin), redirect_uris=uris)


def _key_off(patient: Patient) -> None:
    patient.twin.school.update(api_key(patient.twin), on=False)


def _key_without_a_scope(patient: Patient) -> None:
    developer_keys.change_scopes(
        patient.twin.school,
        api_key(patient.twin),
        require_scopes=True,
        scopes=tuple(READ_SCOPES[1:]),
    )


def _lti_key_without_its_scope(patient: Patient) -> None:
    patient.twin.school.update(lti_key(patient.twin), scopes=())


def _lti_key_without_our_keys(patient: Patient) -> None:
    answer = httpx.Response(404)
    patient.twin.app.state.outgoing = Closed(httpx.MockTransport(lambda _: answer))


def _lti_token_url(patient: Patient) -> None:
    [platform] = patient.institution.lti13
    fields = {name: getattr(platform, name) for name in Lti13.__struct_fields__}
    patient.configure(lti13=(Lti13(**fields | {"token_url": "http://127.0.0.1:9/token"}),))


def _lti_jwks_url(patient: Patient) -> None:
    [platform] = patient.institution.lti13
    fields = {name: getattr(platform, name) for name in Lti13.__struct_fields__}
    patient.configure(lti13=(Lti13(**fields | {"jwks_url": f"{patient.twin.url}/nothing"}),))


@pytest.mark.parametrize(
    ("take", "key", "where"),
    [
        (_wrong_token, "admin_token", "New Access Token"),
        (_unreachable, "canvas_url", "check canvas_url"),
        (_wrong_account, "account_id", "check account_id"),
        (_wrong_client, "client_id", "Developer Keys"),
        (_wrong_secret, "client_secret", "Show Key"),
        (_other_redirect, "redirect_uri", f"add {PUBLIC_URL}/oauth/callback"),
        (_key_off, "key_off", "ON for this account"),
        (_key_without_a_scope, "oauth scopes", READ_SCOPES[0]),
        (_lti_key_without_its_scope, "nrps", "contextmembership.readonly"),
        (_lti_key_without_our_keys, "nrps", f"{PUBLIC_URL}/lti/jwks.json"),
        (_lti_token_url, "token_url", "check token_url"),
        (_lti_jwks_url, "jwks_url", "check jwks_url"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_was_taken_away_is_named_and_nothing_else(
    patient: Patient, take: Take, key: str, where: str
) -> None:
    take(patient)

    missing = await patient.missing()

    assert {key} == missing.keys(), missing
    assert where in missing[key]


@pytest.mark.parametrize(
    ("token", "status", "last"),
    [("right", 0, None), ("1~wrong", 1, "1 thing to mend, as told above")],
)
def test_the_command_tells_line_by_line_and_ends_accordingly(
    twin: Twin,
    sqlite_template: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    token: str,
    status: int,
    last: str | None,
) -> None:
    shutil.copy(sqlite_template, tmp_path / "roster.db")
    secret = twin.cast.tokens["admin"] if token == "right" else token
    config = tmp_path / "roster.toml"
    config.write_text(
        f"""
        [server]
        public_url = "{PUBLIC_URL}"
        database_url = "sqlite://{tmp_path}/roster.db"
        secret_key = "x"
        [[institution]]
        slug = "demo"
        canvas_url = "{twin.url}"
        account_id = "1"
        admin_token = "{secret}"
        """
    )

    ended = main(["doctor", "--config", str(config)])

    told = capsys.readouterr()
    assert status == ended
    assert ("MISSING  admin_token: Canvas takes it" in told.out) == bool(status)
    assert all(line.startswith(("ok  ", "MISSING  ", "     ")) for line in told.out.splitlines())
    assert told.err == (f"roster: {last}\n" if last else "")
    assert secret not in told.out + told.err


async def test_tokens_that_are_over_or_too_narrow_are_counted(patient: Patient) -> None:
    institution = await institutions.by_slug(patient.database, "demo")
    assert institution is not None
    value = Value(access_sealed="a", refresh_sealed="b", expires_at=None)
    await canvas_tokens.keep(
        patient.database, institution.id, 1, value, client_id="1", scopes=("one",), now=now()
    )
    assert "fewer scopes" in (await patient.missing())["narrow_tokens"]
    kept = await canvas_tokens.find(patient.database, institution.id, 1)
    assert kept is not None

    await canvas_tokens.mark_broken(patient.database, kept, "revoked", now=now())

    assert "(revoked)" in (await patient.missing())["broken_tokens"]
