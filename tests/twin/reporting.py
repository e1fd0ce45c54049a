"""Runs a report the way a careful client does, and reads its file."""

from datetime import timedelta
from typing import Any

from tests.twin.conftest import Twin
from twin.report_csv import PROVISIONING

REPORTS = "/api/v1/accounts/1/reports"
P = f"{REPORTS}/{PROVISIONING}"


def _reports(account: int | str) -> str:
    return f"/api/v1/accounts/{account}/reports"


async def start(
    twin: Twin, report: str = PROVISIONING, account: int | str = 1, **parameters: Any
) -> dict[str, Any]:
    data = {f"parameters[{name}]": value for name, value in parameters.items()}
    response = await twin.send("POST", f"{_reports(account)}/{report}", data=data)
    assert response.status_code == 200, response.text
    run: dict[str, Any] = response.json()
    return run | {"account": account}


async def finished(twin: Twin, run: dict[str, Any]) -> dict[str, Any]:
    twin.clock.advance(timedelta(hours=1))
    response = await twin.get(f"{_reports(run['account'])}/{run['report']}/{run['id']}")
    done: dict[str, Any] = response.json()
    return done


async def content(twin: Twin, run: dict[str, Any]) -> bytes:
    """Fetch as a careful client does: by the URL alone, following redirects."""
    response = await twin.client.get(run["attachment"]["url"], follow_redirects=True)
    assert response.status_code == 200
    return response.content
