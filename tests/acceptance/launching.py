"""A twin that plays the platform, a gateway that it launches, and the frontend of a host product, each on another site."""

import logging
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.app import create_app, now, roster_graph
from gateway.canvas.scopes import of_people
from gateway.config_file import CredentialUrl, Secret
from gateway.server import Process
from gateway.settings import (
    Host,
    Institution,
    Lti11,
    Lti13,
    Oauth,
    Server,
    Settings,
    UnmatchedLaunch,
)
from gateway.store import institutions, schema
from gateway.sync.importer import import_report
from gateway.uow import Database
from tests.acceptance.conftest import in_a_thread
from tests.twin.browser import Form, posted_form
from tests.twin.serving import listening, served
from twin.app import create_twin
from twin.cast import Cast
from twin.developer_keys import API_KEY, key_id
from twin.options import Options
from twin.report_file import write_report

_SPAWN = multiprocessing.get_context("spawn")

SMALL: dict[str, Any] = {"courses": 12, "users": 80, "big": 30, "min_open_seconds": 0.0}

# Each token that is made costs 200 units of the address that everybody here shares.
_ROOMY: dict[str, Any] = {"throttle_hwm": 100_000.0, "throttle_maximum": 100_000.0}

# What a product's frontend does with a launch: the code for a token, the token for the class.
_NOTEBOOK = """<!doctype html><title>Notebook</title><h1>Notebook</h1><ul></ul><script>
const gateway = "GATEWAY";
const json = {"content-type": "application/json"};
const code = new URLSearchParams(location.search).get("code");
show().catch((error) => { document.querySelector("h1").textContent = `${error}`; });
async function show() {
  const exchanged = await fetch(`${gateway}/session/exchange`, {method: "POST", headers: json, body: JSON.stringify({code})});
  const {token, viewer} = await exchanged.json();
  const query = `query Class($course: ID!) {
    viewer { user { name } }
    course(by: {id: $course}) { name members(first: 100) { nodes { user { name } types } } }
  }`;
  const variables = {course: viewer.course.id};
  const asked = await fetch(`${gateway}/graphql`, {
    method: "POST", headers: {...json, authorization: `Bearer ${token}`}, body: JSON.stringify({query, variables})
  });
  const {data, errors} = await asked.json();
  if (errors) throw new Error(JSON.stringify(errors));
  document.querySelector("h1").textContent = `${data.viewer.user.name} in ${data.course.name}`;
  for (const {user, types} of data.course.members.nodes) {
    const item = document.createElement("li");
    item.textContent = `${user.name} (${types.join(", ")})`;
    document.querySelector("ul").append(item);
  }
}
</script>"""


@dataclass
class Launching:
    """`twin_url`, `gateway_url` and `notebook_url` are three sites to a browser. `settings`: the gateway's."""

    twin: Starlette
    twin_url: str
    gateway_url: str
    notebook_url: str
    settings: Settings

    @property
    def cast(self) -> Cast:
        cast: Cast = self.twin.state.cast
        return cast


def configured(
    twin: Starlette,
    *,
    database_url: str,
    gateway_url: str,
    twin_url: str,
    notebook_url: str | None = None,
    **changes: Any,
) -> Settings:
    """The gateway's settings for the twin's school."""
    options: Options = twin.state.options
    fields: dict[str, Any] = {
        "slug": "demo",
        "canvas_url": twin_url,
        "unmatched_launch": UnmatchedLaunch.CREATE,
        "lti13": (
            Lti13(
                issuer=options.lti_issuer,
                client_id="10000000000002",
                deployment_ids=(twin.state.lti.tools[1].deployment_id,),
                auth_url=f"{twin_url}/api/lti/authorize_redirect",
                token_url=f"{twin_url}/login/oauth2/token",
                jwks_url=f"{twin_url}/api/lti/security/jwks",
            ),
        ),
        "lti11": (
            Lti11(consumer_key=options.lti11_consumer_key, secret=Secret(options.lti11_secret)),
        ),
    }
    notebook = (
        Host(name="notebook", launch_url=f"{notebook_url}/launch", origins=(notebook_url,))
        if notebook_url
        else None
    )
    return Settings(
        server=Server(
            public_url=gateway_url,
            database_url=CredentialUrl(database_url),
            secret_key=(Secret("not so secret"),),
        ),
        institutions=(Institution(**fields | changes),),
        hosts=(notebook,) if notebook else (),
    )


@contextmanager
def launching(
    folder: Path,
    *,
    with_notebook: bool = False,
    with_report: bool = False,
    with_admin_token: bool = False,
    with_oauth: bool = False,
    killable: bool = False,
    **changes: Any,
) -> Iterator[Launching]:
    """All three at work; `killable`: but for the gateway, which the test runs (`killable_gateway`). `with_report`: the school's report was loaded before; `with_oauth`: people may connect their accounts, by a key that enforces its scopes. `changes`: of the institution."""
    with listening() as for_twin, listening() as for_gateway, listening() as for_notebook:
        twin_url = f"http://127.0.0.1:{_port(for_twin)}"
        gateway_url = f"http://localhost:{_port(for_gateway)}"
        notebook_url = f"http://notebook.localhost:{_port(for_notebook)}"
        options = Options(
            **SMALL,
            public_url=twin_url,
            tool_url=gateway_url,
            auto_approve=with_oauth,
            **(_ROOMY if with_oauth else {}),
            oauth_redirect_uris=(f"{gateway_url}/oauth/callback",),
        )
        twin = create_twin(options)
        if with_admin_token:
            token = twin.state.cast.tokens["admin"]
            changes |= {"account_id": "1", "admin_token": Secret(token)}
        if with_oauth:
            key = twin.state.school.developer_keys[key_id(twin.state.school, API_KEY)]
            scopes = tuple(of_people(writing=True))
            twin.state.school.update(key, require_scopes=True, scopes=scopes)
            client_id = str(key.id)
            secret = Secret(options.oauth_client_secret)
            changes |= {"oauth": Oauth(client_id=client_id, client_secret=secret)}
        settings = configured(
            twin,
            database_url=f"sqlite://{folder / 'roster.db'}",
            gateway_url=gateway_url,
            twin_url=twin_url,
            notebook_url=notebook_url if with_notebook else None,
            **changes,
        )
        if with_report:
            in_a_thread(_import(settings, twin, folder / "provisioning.zip"))
        notebook = Starlette(routes=[Route("/launch", _notebook_of(gateway_url))])
        with ExitStack() as serving:
            serving.enter_context(served(twin, for_twin))
            serving.enter_context(served(notebook, for_notebook))
            if killable:
                for_gateway.close()
            else:
                gateway = create_app(settings, make_graph=roster_graph)
                serving.enter_context(served(gateway, for_gateway))
            yield Launching(twin, twin_url, gateway_url, notebook_url, settings)


@contextmanager
def killable_gateway(world: Launching) -> Iterator[BaseProcess]:
    """The gateway in a process of its own, which runs its jobs too. It is killed in the end, unless it was before."""
    port = urlsplit(world.gateway_url).port
    with socket.create_server(("127.0.0.1", port or 0)) as listener:
        work = Process(world.settings, roster_graph, listener, None, logging.INFO, jobs=True)
        process = _SPAWN.Process(target=work.run)
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()


async def _import(settings: Settings, twin: Starlette, report: Path) -> None:
    write_report(report, twin.state.school)
    [school] = settings.institutions
    async with Database.open(settings.server.database_url) as database:
        await schema.migrate(database)
        demo = await institutions.ensure(database, slug=school.slug, canvas_url=school.canvas_url)
        await import_report(database, demo, report, clock=now)


def _notebook_of(gateway_url: str) -> Any:
    async def page(_request: Request) -> Response:
        return HTMLResponse(_NOTEBOOK.replace("GATEWAY", gateway_url))

    return page


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def opened(world: Launching, browser: httpx.Client, person: str, place: str, tool: int) -> Form:
    """The form with which the twin's page opens the tool for somebody of the cast."""
    cast = world.cast
    context = cast.courses.get(place) or cast.accounts[place]
    kind = "course" if place in cast.courses else "account"
    page = browser.post(
        f"{world.twin_url}/twin/launches",
        data={"launch": f"{cast.people[person].id}:{kind}_{context.id}", "tool": str(tool)},
        follow_redirects=True,
    )
    assert page.status_code == 200, page.text
    return posted_form(page.text)


def launch13(
    world: Launching, browser: httpx.Client, person: str, place: str = "demo"
) -> httpx.Response:
    """Login, the platform, launch: what the tool answers at last."""
    form = opened(world, browser, person, place, 1)
    del form.fields["lti_storage_target"]  # this browser keeps cookies, and runs no script
    login = browser.post(form.action, data=form.fields)
    assert login.status_code == 302, login.text
    answer = posted_form(browser.get(login.headers["location"], follow_redirects=True).text)
    return browser.post(answer.action, data=answer.fields)


def launch11(
    world: Launching, browser: httpx.Client, person: str, place: str = "demo"
) -> httpx.Response:
    form = opened(world, browser, person, place, 2)
    return browser.post(form.action, data=form.fields)
