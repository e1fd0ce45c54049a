"""Faults break what they are told to break, as often as they are told to, and nothing else."""

import io
import json
import time
import zipfile
from typing import Any

import httpx
import pytest

from tests.twin.conftest import BASE_URL, MakeTwin, Twin
from tests.twin.reporting import content, finished, start
from twin.report_csv import PROVISIONING, SIS_EXPORT


@pytest.fixture
def twin(make_twin: MakeTwin) -> Twin:
    return make_twin(control=True)


async def order(twin: Twin, kind: str, **fields: Any) -> dict[str, Any]:
    response = await twin.client.post("/control/faults", json={"kind": kind, **fields})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


@pytest.fixture
def path(twin: Twin) -> str:
    return f"/api/v1/courses/{twin.cast.courses['demo'].id}/enrollments"


async def test_a_status_with_a_body_and_headers(twin: Twin, path: str) -> None:
    await order(twin, "status", status=503, body="<h1>Down</h1>", headers={"Retry-After": "7"})

    response = await twin.get(path)

    assert (response.status_code, response.text) == (503, "<h1>Down</h1>")
    assert response.headers["retry-after"] == "7"


async def test_a_status_without_a_body_is_canvas_own_error(twin: Twin, path: str) -> None:
    await order(twin, "status")

    response = await twin.get(path)

    assert response.status_code == 500
    assert response.json()["errors"][0]["error_code"] == "internal_server_error"


async def test_only_matching_requests_are_struck(twin: Twin, path: str) -> None:
    await order(twin, "status", path=r"/enrollments(\?|$)", method="post")

    assert (await twin.get(path)).status_code == 200
    assert (await twin.send("POST", path)).status_code == 500
    assert (await twin.send("POST", "/api/v1/accounts/1/reports/x")).status_code == 404


async def test_the_query_can_be_matched_too(twin: Twin, path: str) -> None:
    await order(twin, "status", path="per_page=3")

    assert (await twin.get(path, per_page=3)).status_code == 500
    assert (await twin.get(path, per_page=4)).status_code == 200


async def test_after_and_count_choose_which_requests_are_struck(twin: Twin, path: str) -> None:
    made = await order(twin, "status", after=1, count=2)

    statuses = [(await twin.get(path)).status_code for _ in range(4)]

    assert statuses == [200, 500, 500, 200]
    (listed,) = (await twin.client.get("/control/faults")).json()
    assert (listed["id"], listed["hits"], listed["count"]) == (made["id"], 2, 0)


async def test_faults_are_cleared_one_by_one_and_all(twin: Twin, path: str) -> None:
    first = await order(twin, "status", status=500)
    await order(twin, "status", status=501)

    assert (await twin.client.delete(f"/control/faults/{first['id']}")).json() == {"cleared": 1}
    assert (await twin.get(path)).status_code == 501
    assert (await twin.client.delete("/control/faults")).json() == {"cleared": 1}
    assert (await twin.get(path)).status_code == 200


@pytest.mark.parametrize("status", [429, 403])
async def test_a_throttle_storm_looks_like_the_throttle(twin: Twin, path: str, status: int) -> None:
    await order(twin, "throttle", status=status, count=2)

    refused = await twin.get(path)

    assert refused.status_code == status
    assert refused.text == f"{status} Forbidden (Rate Limit Exceeded)\n"
    assert "x-request-cost" not in refused.headers
    assert float(refused.headers["x-rate-limit-remaining"]) > 0
    assert "retry-after" not in refused.headers


async def test_latency_holds_the_answer_back(twin: Twin, path: str) -> None:
    await order(twin, "latency", seconds=0.05)
    begun = time.perf_counter()

    response = await twin.get(path)

    assert response.status_code == 200
    assert time.perf_counter() - begun >= 0.05


async def test_a_cut_body_breaks_the_connection(twin: Twin, path: str) -> None:
    await order(twin, "cut_body")

    with pytest.raises(httpx.RemoteProtocolError):
        await twin.get(path)


async def test_a_cut_page_is_good_json_with_half_the_rows_and_its_links(
    twin: Twin, path: str
) -> None:
    whole = await twin.get(path, per_page=8)
    await order(twin, "cut_page")

    cut = await twin.get(path, per_page=8)

    assert cut.json() == whole.json()[:4]
    assert cut.links["next"] == whole.links["next"]


@pytest.mark.parametrize(("kind", "body"), [("empty", b""), ("empty_list", b"[]")])
async def test_an_empty_answer_with_200(twin: Twin, path: str, kind: str, body: bytes) -> None:
    await order(twin, kind)

    response = await twin.get(path)

    assert (response.status_code, response.content) == (200, body)


async def test_links_go_missing_loop_or_lead_away(twin: Twin, path: str) -> None:
    await order(twin, "link_missing", count=1)
    assert "link" not in (await twin.get(path)).headers
    await order(twin, "link_loop", count=1)
    looped = await twin.get(path, per_page=5)
    assert looped.links["next"]["url"] == f"{BASE_URL}{path}?per_page=5"
    await order(twin, "link_foreign", count=1, url="https://evil.example/next")
    assert (await twin.get(path)).links["next"]["url"] == "https://evil.example/next"
    assert (await twin.get(path)).links["next"]["url"].startswith(BASE_URL)


async def test_ids_are_stripped_at_any_depth(twin: Twin, path: str) -> None:
    await order(twin, "strip_ids", count=1)
    rows = (await twin.get(path)).json()
    assert all("id" not in row and "id" not in row["user"] for row in rows)
    assert all("user_id" in row for row in rows)

    await order(twin, "strip_ids", keys=["user_id"])
    assert all("user_id" not in row and "id" in row for row in (await twin.get(path)).json())


async def test_malformed_json_comes_with_200(twin: Twin, path: str) -> None:
    await order(twin, "malformed_json")

    response = await twin.get(path)

    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_several_faults_strike_together(twin: Twin, path: str) -> None:
    await order(twin, "cut_page")
    await order(twin, "link_missing")

    response = await twin.get(path, per_page=6)

    assert len(response.json()) == 3
    assert "link" not in response.headers


@pytest.mark.parametrize(
    "body", [{"kind": "no_such"}, {"kind": "status", "path": "("}, {"kind": "status", "x": 1}, {}]
)
async def test_an_order_that_makes_no_sense_is_refused(twin: Twin, body: dict[str, Any]) -> None:
    response = await twin.client.post("/control/faults", json=body)

    assert response.status_code == 400
    assert response.json()["error"]


async def test_a_stuck_report_runs_for_ever_and_can_be_aborted(twin: Twin) -> None:
    await order(twin, "report_stuck", count=1)
    stuck = await start(twin, users="1")

    assert (await finished(twin, stuck))["status"] == "running"
    path = f"/api/v1/accounts/1/reports/{PROVISIONING}/{stuck['id']}/abort"
    assert (await twin.send("PUT", path)).json()["status"] == "aborted"
    assert (await finished(twin, await start(twin, users="1")))["status"] == "complete"


async def test_a_report_fault_strikes_the_named_report_only(twin: Twin) -> None:
    await order(twin, "report_error", path=f"/reports/{SIS_EXPORT}")

    broken = await finished(twin, await start(twin, SIS_EXPORT, users="1"))
    whole = await finished(twin, await start(twin, users="1"))

    assert (broken["status"], broken["progress"]) == ("error", 100)
    assert "attachment" not in broken
    assert whole["status"] == "complete"


async def test_a_truncated_zip_cannot_be_opened(twin: Twin) -> None:
    await order(twin, "report_truncated")

    run = await finished(twin, await start(twin, users="1", enrollments="1"))

    assert run["status"] == "complete"
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(await content(twin, run)))


async def test_a_zip_bomb_is_small_and_unpacks_to_what_was_ordered(twin: Twin) -> None:
    size = 20 * 2**20
    await order(twin, "report_zip_bomb", size=size)

    run = await finished(twin, await start(twin, enrollments="1"))

    assert run["attachment"]["content-type"] == "application/zip"
    assert run["attachment"]["size"] < size / 100
    with zipfile.ZipFile(io.BytesIO(await content(twin, run))) as archive:
        assert archive.getinfo("enrollments.csv").file_size > size


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
async def test_a_report_in_another_encoding(twin: Twin, encoding: str) -> None:
    await order(twin, "report_encoding", encoding=encoding)

    raw = await content(twin, await finished(twin, await start(twin, users="1")))

    assert "Zoë Neil" in raw.decode(encoding)
    with pytest.raises(UnicodeDecodeError):
        raw.decode()


async def test_shuffled_columns_hold_the_same_cells_by_name(twin: Twin) -> None:
    plain = await content(twin, await finished(twin, await start(twin, terms="1")))
    await order(twin, "report_shuffled")
    shuffled = await content(twin, await finished(twin, await start(twin, terms="1")))

    def table(raw: bytes) -> list[dict[str, str]]:
        head, *rest = [row.split(",") for row in raw.decode().splitlines()]
        return [dict(zip(head, row, strict=True)) for row in rest]

    assert plain.splitlines()[0] != shuffled.splitlines()[0]
    assert table(plain) == table(shuffled)
