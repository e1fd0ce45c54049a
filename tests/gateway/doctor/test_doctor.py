"""Each credential, scope and permission taken away in turn: the doctor names exactly that, and where to give it back."""

import re
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from gateway.canvas.scopes import READING, WRITING, of_operator, of_people
from gateway.cli import main
from gateway.config_file import CredentialUrl, Secret
from gateway.doctor import findings
from gateway.doctor.examining import examined
from gateway.doctor.findings import PERMISSIONS, Finding
from gateway.doctor.scopes import harmless
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
from twin.faults import Kind
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
            if self.institution.lti13 and not isinstance(self.twin.app.state.outgoing, Closed):
                jwks = await launches.own_keys.jwks()
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

    async def let_a_service_write(self) -> None:
        institution = await institutions.by_slug(self.database, "demo")
        assert institution is not None
        await tokens.create(
            self.database,
            institution_id=institution.id,
            name="writer",
            scopes=("roster:write",),
            now=now(),
        )

    def scope_the_admins_key(self, *, without: Collection[str] = (), includes: bool = True) -> None:
        """The token's own key, which Canvas makes for manual tokens, replaced by a scoped one."""
        token = next(
            one
            for one in self.twin.school.tokens.values()
            if one.token == self.twin.cast.tokens["admin"]
        )
        key = api_key(self.twin)
        scopes = tuple(sorted(set(API_SCOPES) - set(without)))
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


@pytest.mark.parametrize("permission", [one.name for one in (*PERMISSIONS, *findings.WRITING)])
async def test_a_permission_that_is_missing_is_named(patient: Patient, permission: str) -> None:
    await patient.let_a_service_write()
    patient.configure(oauth=None, lti13=())
    patient.take_from_admins(permission)

    missing = await patient.missing()

    assert {permission} == missing.keys()
    label = next(one.label for one in (*PERMISSIONS, *findings.WRITING) if one.name == permission)
    assert label in missing[permission]
    assert "Account Roles" in missing[permission]


async def test_what_writing_takes_is_asked_where_a_service_may_write(patient: Patient) -> None:
    patient.configure(oauth=None)
    patient.scope_the_admins_key(without=WRITING)
    patient.take_from_admins("import_sis")
    assert {} == await patient.missing()

    await patient.let_a_service_write()

    assert {"import_sis", "admin_token scopes"} == (await patient.missing()).keys()


@pytest.mark.parametrize("scope", of_operator(writing=True))
async def test_a_scope_that_is_missing_is_named(patient: Patient, scope: str) -> None:
    await patient.let_a_service_write()
    patient.configure(oauth=None, lti13=())
    patient.scope_the_admins_key(without=[scope])

    missing = await patient.missing()

    assert {"admin_token scopes"} == missing.keys()
    named = set(re.split("[ ;]", missing["admin_token scopes"])) & set(API_SCOPES)
    assert {scope} == named
    assert "Enforce Scopes" in missing["admin_token scopes"]


async def test_trying_scopes_changes_nothing(patient: Patient) -> None:
    await patient.let_a_service_write()
    tried = [harmless(scope) for scope in of_operator(writing=True)]
    school = patient.twin.school
    before = school.version

    await patient.examined()

    assert before == school.version
    assert {} == patient.twin.app.state.reports.runs
    assert {} == patient.twin.app.state.sis_imports.batches
    billed = {one.split(" ")[0] for one in patient.twin.billed()}
    assert {"GET", "POST", "PUT", "DELETE"} == billed == {verb for verb, _ in tried}
    assert [] == [path for verb, path in tried if verb != "GET" and "/0/" not in path]


async def test_what_canvas_does_not_say_of_a_scope_is_not_taken_for_well(patient: Patient) -> None:
    patient.configure(oauth=None)
    patient.twin.break_(Kind.STATUS, "courses/0/enrollments", status=503)

    missing = await patient.missing()

    assert {"admin_token scopes"} == missing.keys()
    assert "could not be asked about" in missing["admin_token scopes"]
    assert "switch on" not in missing["admin_token scopes"]


@pytest.mark.parametrize("scope", of_people(writing=True))
async def test_a_scope_that_people_are_asked_for_and_the_key_lacks_is_named(
    patient: Patient, scope: str
) -> None:
    patient.configure(admin_token=None, lti13=())
    scopes = tuple(one for one in of_people(writing=True) if one != scope)
    developer_keys.change_scopes(
        patient.twin.school, api_key(patient.twin), require_scopes=True, scopes=scopes
    )

    missing = await patient.missing()

    assert {"oauth scopes"} == missing.keys()
    named = set(re.split("[ ;]", missing["oauth scopes"])) & set(API_SCOPES)
    assert {scope} == named
    assert ("oauth.writes = false" in missing["oauth scopes"]) == (scope in WRITING)


async def test_a_key_without_writing_will_do_where_people_only_read(patient: Patient) -> None:
    developer_keys.change_scopes(
        patient.twin.school, api_key(patient.twin), require_scopes=True, scopes=tuple(READING)
    )
    assert {"oauth scopes"} == (await patient.missing()).keys()
    client_id = str(api_key(patient.twin).id)

    patient.configure(oauth=Oauth(client_id=client_id, client_secret=Secret(SECRET), writes=False))

    assert {} == await patient.missing()


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
        patient.database, institution.id, 1, value, client_id="1", scopes=tuple(READING), now=now()
    )
    narrow = (await patient.missing())["narrow_tokens"]
    assert "fewer scopes" in narrow
    assert set(WRITING) == set(re.split("[ ;]", narrow)) & set(API_SCOPES)
    kept = await canvas_tokens.find(patient.database, institution.id, 1)
    assert kept is not None

    await canvas_tokens.mark_broken(patient.database, kept, "revoked", now=now())

    assert "(revoked)" in (await patient.missing())["broken_tokens"]
