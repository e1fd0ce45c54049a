"""The configuration: what a good file means, and that a bad one is refused with every mistake and its place."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from gateway import settings
from gateway.config_file import CredentialUrl, Secret
from gateway.errors import ConfigurationError, UsageError

SMALLEST = """\
[server]
public_url = "https://roster.example.edu"
database_url = "sqlite://roster.db"
secret_key = "sealed"
"""

WHOLE = """\
[server]
public_url   = "http://127.0.0.1:8000"
database_url = "postgres://roster:hush@db:5432/roster"
cache_url    = "redis://:hush@cache:6379/0"
secret_key   = [{ env = "NEW_KEY" }, { file = "keys/old" }, "plain"]
graphiql     = false
query_timeout = "PT5S"
private_networks = "refuse"
mail         = { smtp = "smtp://127.0.0.1:25", sender = "roster@example.edu" }

[[institution]]
slug             = "demo"
canvas_url       = "http://127.0.0.1:9000/"
account_id       = "1"
admin_token      = { env = "CANVAS_ADMIN_TOKEN" }
oauth            = { client_id = "10000000000001", client_secret = { env = "CANVAS_OAUTH_SECRET" } }
default_max_age  = "PT1H"
report_schedule  = "*/15 2-4,22 1 jan mon-fri"
unmatched_launch = "ask"
shrink_guard     = 0.5
shrink_guard_min = 3
drop_policy      = "conclude"
retention        = "P30D"
registration_url = "https://host.example.edu/new"
nrps_hosts       = ["nrps.example.edu", "http://127.0.0.1:9001"]

  [[institution.lti13]]
  issuer         = "https://canvas.instructure.com"
  client_id      = "10000000000002"
  deployment_ids = ["1:abc"]
  auth_url       = "http://127.0.0.1:9000/api/lti/authorize_redirect"
  token_url      = "http://127.0.0.1:9000/login/oauth2/token"
  jwks_url       = "http://127.0.0.1:9000/api/lti/security/jwks"

  [[institution.lti11]]
  consumer_key   = "demo-key"
  secret         = { env = "LTI11_SECRET" }

[[institution]]
slug = "moodle"

  [[institution.lti13]]     # the same key in another deployment is another registration
  issuer         = "https://canvas.instructure.com"
  client_id      = "10000000000002"
  deployment_ids = ["2:def"]
  auth_url       = "http://127.0.0.1:9000/api/lti/authorize_redirect"
  token_url      = "http://127.0.0.1:9000/login/oauth2/token"
  jwks_url       = "http://127.0.0.1:9000/api/lti/security/jwks"

[[host]]
name         = "notebook"
launch_url   = "http://127.0.0.1:5173/launch"
origins      = ["http://127.0.0.1:5173"]
"""

ENVIRONMENT = {
    "NEW_KEY": "key one",
    "CANVAS_ADMIN_TOKEN": "token of the admin",
    "CANVAS_OAUTH_SECRET": "secret of the key",
    "LTI11_SECRET": "secret of the consumer",
}


def load(folder: Path, text: str, environment: dict[str, str] | None = None) -> settings.Settings:
    file = folder / "roster.toml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file, environment or {})


def mistakes(folder: Path, text: str) -> list[str]:
    """Each as `line: place: what`."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    return [
        line.removeprefix(f"{folder / 'roster.toml'}:") for line in str(caught.value).split("\n")
    ]


def test_a_small_file_has_the_documented_defaults(tmp_path: Path) -> None:
    read = load(tmp_path, SMALLEST + '[[institution]]\nslug = "demo"\n')

    assert read.server.cache_url == "memory://"
    assert read.server.graphiql
    assert read.server.query_timeout == timedelta(seconds=20)
    assert read.server.mail is None
    demo = read.institution("demo")
    assert demo == settings.Institution(slug="demo")
    assert demo.default_max_age == timedelta(minutes=15)
    assert demo.report_schedule == "0 3 * * *"
    assert demo.unmatched_launch is settings.UnmatchedLaunch.CREATE
    assert (demo.shrink_guard, demo.shrink_guard_min) == (0.2, 25)
    assert demo.drop_policy is settings.DropPolicy.DELETE
    assert demo.retention == timedelta(days=400)
    assert (demo.canvas_url, demo.admin_token, demo.oauth) == (None, None, None)


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "old").write_text("key two\n")

    read = load(tmp_path, WHOLE, ENVIRONMENT)

    assert [key.reveal() for key in read.server.secret_key] == ["key one", "key two", "plain"]
    assert not read.server.graphiql
    assert read.server.query_timeout == timedelta(seconds=5)
    assert read.server.mail == settings.Mail(
        smtp=CredentialUrl("smtp://127.0.0.1:25"), sender="roster@example.edu"
    )
    demo = read.institution("demo")
    assert demo is not None
    assert demo.canvas_url == "http://127.0.0.1:9000"
    assert demo.account_id == "1"
    assert demo.admin_token == Secret("token of the admin")
    assert demo.oauth is not None
    assert demo.oauth.client_secret == Secret("secret of the key")
    assert demo.default_max_age == timedelta(hours=1)
    assert demo.report_schedule == "*/15 2-4,22 1 jan mon-fri"
    assert demo.unmatched_launch is settings.UnmatchedLaunch.ASK
    assert (demo.shrink_guard, demo.shrink_guard_min) == (0.5, 3)
    assert demo.drop_policy is settings.DropPolicy.CONCLUDE
    assert demo.retention == timedelta(days=30)
    assert demo.registration_url == "https://host.example.edu/new"
    assert demo.nrps_hosts == ("https://nrps.example.edu", "http://127.0.0.1:9001")
    assert demo.lti13[0].deployment_ids == ("1:abc",)
    assert demo.lti11[0].secret == Secret("secret of the consumer")
    assert read.hosts[0].origins == ("http://127.0.0.1:5173",)
    assert read.institution("nobody") is None


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "old").write_text("key two\n")

    shown = repr(load(tmp_path, WHOLE, ENVIRONMENT))

    hidden = [*ENVIRONMENT.values(), "key two", "plain", "hush"]
    assert not [secret for secret in hidden if secret in shown]
    assert "postgres://roster:…@db:5432/roster" in shown


@pytest.mark.parametrize(
    ("public_url", "line", "allowed"),
    [
        pytest.param("http://127.0.0.1:8000", "", True, id="loopback address"),
        pytest.param("http://localhost:8000", "", True, id="localhost"),
        pytest.param("http://[::1]:8000", "", True, id="loopback of IPv6"),
        pytest.param("http://10.0.0.5", "", False, id="private, but not loopback"),
        pytest.param("https://roster.example.edu", "", False, id="public"),
        pytest.param("https://localhost.example.edu", "", False, id="a name that begins alike"),
        pytest.param(
            "http://127.0.0.1", 'private_networks = "refuse"', False, id="refused by the file"
        ),
        pytest.param(
            "https://roster.example.edu",
            'private_networks = "allow"',
            True,
            id="allowed by the file",
        ),
    ],
)
def test_private_networks_are_open_by_default_only_to_a_local_server(
    tmp_path: Path, public_url: str, line: str, *, allowed: bool
) -> None:
    text = SMALLEST.replace("https://roster.example.edu", public_url) + line

    assert load(tmp_path, text).server.allows_private_networks is allowed


# One mistake each: what is put after SMALLEST (5 lines follow line 4), and what is said about it.
SERVER_MISTAKES = {
    "unknown key": ("grafiql = true", "5: server.grafiql: unknown key; did you mean graphiql?"),
    "unknown table": ("[servers]", "5: servers: unknown key; did you mean server?"),
    "wrong type": ('graphiql = "yes"', "5: server.graphiql: expected true or false, got 'yes'"),
    "not a duration": (
        'query_timeout = "20s"',
        """5: server.query_timeout: expected an ISO 8601 duration such as "PT15M" or "P400D", got '20s'""",
    ),
    "no time": (
        'query_timeout = "PT0S"',
        "5: server.query_timeout: 0:00:00 is not 0:00:00.001000 at least",
    ),
    "not a choice": (
        'private_networks = "deny"',
        """5: server.private_networks: expected one of "refuse", "allow", got 'deny'""",
    ),
    "cache of another kind": (
        'cache_url = "memcached://x"',
        "5: server.cache_url: must begin with memory:// or redis:// or rediss://",
    ),
    "part of a table": ('mail = { smtp = "smtp://x" }', "5: server.mail.sender: is missing"),
    "no table": ('mail = "smtp://x"', "5: server.mail: expected a table, got 'smtp://x'"),
    "no list": ("[institution]\nslug = 'demo'", "5: institution: expected a list"),
}
INSTITUTION_MISTAKES = {
    "no slug": ('account_id = "1"', "5: institution[0].slug: is missing"),
    "slug in capitals": (
        'slug = "Demo"',
        "6: institution[0].slug: 'Demo' is not made of at most 64 of a-z, 0-9, - and _, a letter or digit first",
    ),
    "URL of no scheme": (
        'slug = "a"\ncanvas_url = "canvas.example.edu"',
        "7: institution[0].canvas_url: 'canvas.example.edu' is not a URL that begins with http:// or https:// and a host",
    ),
    "URL of a page": (
        'slug = "a"\ncanvas_url = "https://canvas.example.edu/courses"',
        "7: institution[0].canvas_url: 'https://canvas.example.edu/courses' has more than scheme, host and port",
    ),
    "URL with a password": (
        'slug = "a"\ncanvas_url = "https://u:p@canvas.example.edu"',
        "7: institution[0].canvas_url: carries a name or password",
    ),
    "port too high": (
        'slug = "a"\ncanvas_url = "https://canvas.example.edu:99999"',
        "7: institution[0].canvas_url: 'https://canvas.example.edu:99999' is not a URL: Port out of range 0-65535",
    ),
    "id without quotes": (
        'slug = "a"\naccount_id = 1',
        "7: institution[0].account_id: expected text in quotes, got 1",
    ),
    "unset variable": (
        'slug = "a"\ncanvas_url = "https://c.edu"\nadmin_token = { env = "NOT_SET" }',
        "8: institution[0].admin_token: the environment variable NOT_SET is not set",
    ),
    "unreadable file": (
        'slug = "a"\ncanvas_url = "https://c.edu"\nadmin_token = { file = "not/there" }',
        "8: institution[0].admin_token: not/there cannot be read: No such file or directory",
    ),
    "empty secret": (
        'slug = "a"\ncanvas_url = "https://c.edu"\nadmin_token = ""',
        "8: institution[0].admin_token: is empty",
    ),
    "secret of two kinds": (
        'slug = "a"\ncanvas_url = "https://c.edu"\nadmin_token = { env = "A", file = "b" }',
        '8: institution[0].admin_token: expected text, { env = "NAME" } or { file = "PATH" }',
    ),
    "token for nobody": (
        'slug = "a"\nadmin_token = "t"',
        "7: institution[0].admin_token: needs canvas_url beside it",
    ),
    "share over one": (
        'slug = "a"\nshrink_guard = 20',
        "7: institution[0].shrink_guard: 20.0 is not 0.0 at least and 1.0 at most",
    ),
    "no number": (
        'slug = "a"\nshrink_guard = nan',
        "7: institution[0].shrink_guard: nan is not 0.0 at least and 1.0 at most",
    ),
    "four fields of a schedule": (
        'slug = "a"\nreport_schedule = "0 3 * *"',
        "7: institution[0].report_schedule: '0 3 * *' has 4 fields; a schedule has 5, or is empty for never",
    ),
    "hour 24": (
        'slug = "a"\nreport_schedule = "0 24 * * *"',
        "7: institution[0].report_schedule: '24' is no hour (0 to 23) of a schedule",
    ),
    "range that ends before it begins": (
        'slug = "a"\nreport_schedule = "0 0 * * fri-mon"',
        "7: institution[0].report_schedule: 'fri-mon' is no day of the week (0 to 7) of a schedule",
    ),
    "step of nothing": (
        'slug = "a"\nreport_schedule = "*/0 0 * * *"',
        "7: institution[0].report_schedule: '*/0' is no minute (0 to 59) of a schedule",
    ),
    "item of a list": (
        'slug = "a"\nnrps_hosts = ["fine.example.edu", "https://x/y"]',
        "7: institution[0].nrps_hosts[1]: 'https://x/y' has more than scheme, host and port",
    ),
    "two of one name": (
        'slug = "a"\n[[institution]]\nslug = "a"',
        "7: institution[1]: the slug 'a' is taken by institution[0]",
    ),
    "two consumers of one key": (
        'slug = "a"\nlti11 = [{ consumer_key = "k", secret = "s" }]\n[[institution]]\nslug = "b"\nlti11 = [{ consumer_key = "k", secret = "t" }]',
        "10: institution[1].lti11[0]: the consumer key 'k' is taken by institution[0].lti11[0]",
    ),
}


@pytest.mark.parametrize(("added", "said"), SERVER_MISTAKES.values(), ids=SERVER_MISTAKES)
def test_a_mistake_in_the_servers_table_is_named(tmp_path: Path, added: str, said: str) -> None:
    assert mistakes(tmp_path, SMALLEST + added) == [said]


@pytest.mark.parametrize(("added", "said"), INSTITUTION_MISTAKES.values(), ids=INSTITUTION_MISTAKES)
def test_a_mistake_in_an_institutions_table_is_named(tmp_path: Path, added: str, said: str) -> None:
    assert mistakes(tmp_path, f"{SMALLEST}[[institution]]\n{added}") == [said]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
# A comment, and a text that looks like a table:
[server]
public_url = \"\"\"
[institution]
slug = 'x'\"\"\"
secret_key = [
  { env = "NOT_SET" },
  "fine",
]
[[institution]]
slug = "a"
canvas_url = "nowhere"
lti13 = [{ issuer = "https://i.edu", client_id = "1" }]
[[host]]
"""

    said = mistakes(tmp_path, text)

    assert [
        "2: server.database_url: is missing",
        "6: server.secret_key[0]: the environment variable NOT_SET is not set",
        "12: institution[0].canvas_url",
        "13: institution[0].lti13[0].auth_url: is missing",
        "13: institution[0].lti13[0].jwks_url: is missing",
        "13: institution[0].lti13[0].token_url: is missing",
        "14: host[0].launch_url: is missing",
        "14: host[0].name: is missing",
    ] == [re.sub(r"(canvas_url): .*", r"\1", line) for line in said if "public_url" not in line]
    assert [line.partition(":")[0] for line in said if "public_url" in line] == ["3"]


def test_a_file_without_its_main_table_is_refused_without_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"roster\.toml: server: is missing$"):
        load(tmp_path, "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"[server\n", r"not TOML: .*line 1", id="no TOML"),
        pytest.param(b"\xff\xfe[server]", "cannot be read: it is not UTF-8", id="UTF-16"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "roster.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=said):
        settings.load(file, {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        settings.load(tmp_path / "roster.toml", {})


def test_the_file_is_chosen_by_the_command_line_before_the_environment() -> None:
    environment = {"ROSTER_CONFIG": "from-environment.toml"}

    assert settings.chosen_file("given.toml", environment) == Path("given.toml")
    assert settings.chosen_file(None, environment) == Path("from-environment.toml")
    with pytest.raises(UsageError, match="--config FILE or set ROSTER_CONFIG"):
        settings.chosen_file(None, {})
