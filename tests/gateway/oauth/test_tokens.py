"""Tokens are renewed by one at a time, however many want to, in however many processes; and are over when they are."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.canvas.client import Call, Canvas, Meter
from gateway.canvas.oauth2 import PURPOSE
from gateway.errors import CredentialSpent, SourceRefused
from gateway.http.client import Client
from gateway.store import canvas_tokens
from tests.gateway.oauth.conftest import Person, client_id, peoples_tokens
from tests.upstream import Upstream as Twin
from twin.faults import Fault, Kind


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  as the application's


def counted(twin: Twin, *, seconds: float = 0.0) -> Fault:
    """Counts the requests to the token endpoint from here on, and draws them out so that they overlap."""
    return twin.break_(Kind("latency"), "oauth2/token", seconds=seconds)


async def test_many_who_meet_a_dead_token_renew_it_once(teacher: Person, twin: Twin) -> None:
    teacher.connect()
    async with Client(allows_private_networks=True) as http:
        processes = [peoples_tokens(teacher.school, twin, http) for _ in range(3)]
        dead = await processes[0].token(teacher.row)
        renewals = counted(twin, seconds=0.1)

        renewed = await asyncio.gather(
            *(one.renewed(teacher.row, dead) for one in processes for _ in range(5))
        )

    assert len(set(renewed)) == 1
    assert dead not in renewed
    assert renewals.hits == 1


_PROCESS = """
import asyncio, sys
from datetime import UTC, datetime
from gateway.canvas.oauth2 import Application, TokenEndpoint
from gateway.http.client import Client
from gateway.seal import Seal
from gateway.tokens import PeoplesTokens
from gateway.uow import Database

async def main():
    url, canvas, client, institution, person, spent = sys.argv[1:]
    application = Application(canvas_url=canvas, client_id=client, client_secret="twin-oauth-secret", redirect_uri="http://127.0.0.1:8000/oauth/callback", scopes=())
    async with Database.open(url) as database, Client(allows_private_networks=True) as http:
        tokens = PeoplesTokens(institution_id=int(institution), database=database, seal=Seal(["not so secret"]), endpoint=TokenEndpoint(http, application), clock=lambda: datetime.now(UTC))
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        print(await tokens.renewed(int(person), spent))

asyncio.run(main())
"""


async def test_processes_renew_it_once(teacher: Person, twin: Twin) -> None:
    teacher.connect()
    async with Client(allows_private_networks=True) as http:
        dead = await peoples_tokens(teacher.school, twin, http).token(teacher.row)
    renewals = counted(twin, seconds=0.5)
    arguments = [teacher.school.database.url, twin.url, client_id(twin)]
    arguments += [str(teacher.school.id), str(teacher.row), dead]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout"), asyncio.subprocess.PIPE)
    root = str(Path(__file__).parents[3])
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROCESS, *arguments, cwd=root, env={"PYTHONPATH": root}, **pipes
        )
        for _ in range(3)
    ]
    for one in processes:
        assert one.stdout is not None
        assert await one.stdout.readline() == b"ready\n"

    told = [
        out for out, _ in await asyncio.gather(*(one.communicate(b"go\n") for one in processes))
    ]

    assert len(set(told)) == 1
    assert dead.encode() not in told[0]
    assert told[0].strip()
    assert renewals.hits == 1


async def test_a_token_is_renewed_before_it_ends(teacher: Person, twin: Twin) -> None:
    teacher.connect()
    async with Client(allows_private_networks=True) as http:
        first = await peoples_tokens(teacher.school, twin, http).token(teacher.row)
        later = peoples_tokens(
            teacher.school, twin, http, clock=lambda: now() + timedelta(minutes=59)
        )
        assert await later.token(teacher.row) != first


async def test_a_call_whose_token_died_renews_it_and_goes_on(teacher: Person, twin: Twin) -> None:
    teacher.connect()
    async with Client(allows_private_networks=True) as http:
        tokens = peoples_tokens(teacher.school, twin, http)
        twin.clock.advance(timedelta(hours=2))  # for Canvas it is over, and for us it is not
        credential = await tokens.credential(teacher.row)
        assert credential is not None
        canvas: Canvas = twin.canvas(http)

        answer = await canvas.get(Call(credential=credential, meter=Meter()), "/users/self")

    assert answer["name"] == "Theodora O'Neil"


async def test_a_revoked_grant_is_marked_and_no_credential_any_more(
    teacher: Person, twin: Twin
) -> None:
    teacher.connect()
    async with Client(allows_private_networks=True) as http:
        tokens = peoples_tokens(teacher.school, twin, http)
        access = await tokens.token(teacher.row)
        for token in list(twin.school.tokens.values()):
            if token.purpose == PURPOSE:
                twin.school.remove(token)

        with pytest.raises(CredentialSpent, match="refresh_token not found"):
            await tokens.renewed(teacher.row, access)

        assert await tokens.credential(teacher.row) is None
    kept = await teacher.kept()
    assert kept is not None
    assert kept.broken_at is not None
    assert "refresh_token not found" in str(kept.broken_why)


async def test_a_wrong_secret_of_ours_breaks_nobodys_token(teacher: Person, twin: Twin) -> None:
    teacher.connect()
    async with Client(allows_private_networks=True) as http:
        tokens = peoples_tokens(teacher.school, twin, http, client_secret="wrong")
        access = await tokens.token(teacher.row)

        with pytest.raises(SourceRefused, match="check oauth in the configuration"):
            await tokens.renewed(teacher.row, access)

        mended = peoples_tokens(teacher.school, twin, http)
        assert await mended.renewed(teacher.row, access) != access


async def test_a_claim_whose_process_died_is_taken_over(teacher: Person, twin: Twin) -> None:
    teacher.connect()
    kept = await teacher.kept()
    assert kept is not None
    claimed = await canvas_tokens.claim(
        teacher.school.database, kept, now=now(), until=now() + timedelta(seconds=30)
    )
    assert claimed
    waits: list[float] = []
    moved = timedelta(0)

    async def sleep(seconds: float) -> None:
        nonlocal moved
        waits.append(seconds)
        moved += timedelta(seconds=20)

    async with Client(allows_private_networks=True) as http:
        tokens = peoples_tokens(
            teacher.school, twin, http, clock=lambda: now() + moved, sleep=sleep
        )
        access = await tokens.token(teacher.row)
        assert await tokens.renewed(teacher.row, access) != access
    assert len(waits) == 2
