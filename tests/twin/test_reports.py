"""Account reports: how they are started, how they pass, and how their file is fetched.

Fact sheet reports.md §1 to §3.
"""

import csv
import io
import zipfile
from datetime import timedelta

import httpx
import pytest

from tests.twin.conftest import BASE_URL, MakeTwin, Twin
from tests.twin.reporting import REPORTS, P, content, finished, start
from twin.report_csv import FILES, HEADERS, PROVISIONING, SIS_EXPORT


async def test_the_types_are_listed_by_title_with_their_last_run(twin: Twin) -> None:
    run = await start(twin, users="1")

    listed = (await twin.get(REPORTS)).json()

    assert [each["title"] for each in listed] == ["Provisioning", "SIS Export"]
    assert listed[0]["last_run"]["id"] == run["id"]
    assert listed[1]["last_run"] is None
    assert listed[0]["parameters"]["enrollments"]["required"] is False
    assert "enrollment_filter" not in listed[1]["parameters"]


@pytest.mark.parametrize("include", ["parameters_html", "description_html"])
async def test_html_comes_by_include(twin: Twin, include: str) -> None:
    listed = (await twin.get(REPORTS, include=[include])).json()

    assert include in listed[0]


async def test_the_documented_name_of_the_form_include_does_nothing(twin: Twin) -> None:
    listed = (await twin.get(REPORTS, include=["params_html"])).json()

    assert "parameters_html" not in listed[0]


async def test_a_run_passes_over_the_clock_and_echoes_what_was_sent(twin: Twin) -> None:
    run = await start(twin, enrollments="true", skip_message="true", colour="blue")

    assert run["status"] == "created"
    assert run["parameters"] | {"extra_text": ""} == {
        "enrollments": "true",
        "skip_message": "true",
        "colour": "blue",
        "locale": "en",
        "extra_text": "",
    }
    assert (run["started_at"], run["file_url"], run["progress"]) == (None, None, 0)

    twin.clock.advance(timedelta(seconds=5))
    running = (await twin.get(f"{P}/{run['id']}")).json()
    assert (running["status"], running["progress"]) == ("running", 0)
    assert running["started_at"] == "2026-03-02T10:00:05Z"
    assert "attachment" not in running

    done = await finished(twin, run)
    assert (done["status"], done["progress"]) == ("complete", 100)
    assert done["attachment"]["content-type"] == "text/csv"
    assert done["attachment"]["filename"].startswith(f"provisioning_csv_02_Mar_2026_{run['id']}_")
    assert done["file_url"].startswith(f"{BASE_URL}/accounts/1/files/")
    assert done["current_line"] == (await content(twin, done)).count(b"\n") - 1


async def test_json_values_are_echoed_as_sent(twin: Twin) -> None:
    body = {"parameters": {"users": True, "enrollment_term_id": 2}}

    run = (await twin.send("POST", P, json=body)).json()

    assert run["parameters"]["users"] is True
    assert run["parameters"]["enrollment_term_id"] == 2


async def test_ids_are_texts_where_asked(twin: Twin) -> None:
    run = await finished(twin, await start(twin, users="1"))

    response = await twin.get(
        f"{P}/{run['id']}", headers={"Accept": "application/json+canvas-string-ids"}
    )

    assert response.json()["id"] == str(run["id"])
    assert response.json()["attachment"]["id"] == str(run["attachment"]["id"])


async def test_several_files_come_as_a_zip_with_flat_members(twin: Twin) -> None:
    run = await finished(twin, await start(twin, **dict.fromkeys(FILES, "1")))

    assert run["attachment"]["content-type"] == "application/zip"
    assert run["attachment"]["filename"] == f"provisioning_csv_02_Mar_2026_{run['id']}.zip"
    with zipfile.ZipFile(io.BytesIO(await content(twin, run))) as archive:
        assert archive.namelist() == [f"{file}.csv" for file in FILES]
        assert archive.read("institutional_tags.csv") == b"\n"
        assert archive.read("groups.csv").decode() == HEADERS[PROVISIONING]["groups"] + "\n"


async def test_a_run_without_any_file_ends_in_error_with_progress_100(twin: Twin) -> None:
    run = await finished(twin, await start(twin, include_deleted="1"))

    assert (run["status"], run["progress"]) == ("error", 100)
    assert "attachment" not in run
    assert "Failed" in run["parameters"]["extra_text"]


async def test_a_second_identical_run_is_another_run_and_waits_for_the_first(twin: Twin) -> None:
    first, second = await start(twin, users="1"), await start(twin, users="1")

    twin.clock.advance(timedelta(seconds=5))
    listed = (await twin.get(P)).json()

    assert [run["id"] for run in listed] == [second["id"], first["id"]]
    assert [run["status"] for run in listed] == ["created", "running"]
    done = await finished(twin, second)
    assert done["started_at"] >= (await finished(twin, first))["ended_at"]


async def test_a_slow_run_holds_the_next_one_back_and_shows_its_lines(make_twin: MakeTwin) -> None:
    twin = make_twin(report_rows_per_second=100)
    first, second = await start(twin, enrollments="1"), await start(twin, terms="1")

    twin.clock.advance(timedelta(seconds=7))
    runs = {run["id"]: run for run in (await twin.get(P)).json()}

    assert (runs[first["id"]]["status"], runs[second["id"]]["status"]) == ("running", "created")
    assert runs[first["id"]]["current_line"] == 0  # told a thousand at a time
    ended = (await finished(twin, first))["ended_at"]
    assert (await finished(twin, second))["started_at"] == ended
    assert ended > "2026-03-02T10:00:08Z"


async def test_several_run_side_by_side_where_the_site_allows_it(make_twin: MakeTwin) -> None:
    twin = make_twin(report_rows_per_second=100, report_slots=2)
    await start(twin, enrollments="1")
    await start(twin, enrollments="1")

    twin.clock.advance(timedelta(seconds=5))

    assert [run["status"] for run in (await twin.get(P)).json()] == ["running", "running"]


async def test_each_file_is_a_query_of_its_own_later_than_the_one_before(
    make_twin: MakeTwin,
) -> None:
    twin = make_twin(report_rows_per_second=100)
    run = await start(twin, users="1", terms="1")
    twin.clock.advance(timedelta(seconds=5.5))
    assert (await twin.get(f"{P}/{run['id']}")).json()["status"] == "running"
    twin.school.update(twin.cast.people["student"], name="Changed Meanwhile")
    twin.school.update(twin.cast.terms["current"], name="Changed Meanwhile")

    with zipfile.ZipFile(io.BytesIO(await content(twin, await finished(twin, run)))) as archive:
        users, terms = archive.read("users.csv").decode(), archive.read("terms.csv").decode()

    assert "Changed Meanwhile" not in users
    assert "Changed Meanwhile" in terms


async def test_runs_are_listed_page_by_page(twin: Twin) -> None:
    started = [(await start(twin, users="1"))["id"] for _ in range(3)]

    runs = await twin.pages(P, per_page=2)

    assert [run["id"] for run in runs] == started[::-1]


async def test_only_a_running_run_can_be_aborted(twin: Twin) -> None:
    run = await start(twin, users="1")
    assert (await twin.send("PUT", f"{P}/{run['id']}/abort")).status_code == 404

    twin.clock.advance(timedelta(seconds=5))
    aborted = (await twin.send("PUT", f"{P}/{run['id']}/abort")).json()

    assert (aborted["status"], aborted["progress"]) == ("aborted", 100)
    assert (await finished(twin, run))["status"] == "aborted"
    assert (await twin.send("PUT", f"{P}/{run['id']}/abort")).status_code == 404


async def test_a_deleted_run_is_gone_and_does_no_work(twin: Twin) -> None:
    run = await start(twin, users="1")

    assert (await twin.send("DELETE", f"{P}/{run['id']}")).json()["status"] == "deleted"

    twin.clock.advance(timedelta(hours=1))
    assert (await twin.get(f"{P}/{run['id']}")).status_code == 404
    assert (await twin.get(P)).json() == []
    assert (await twin.get(REPORTS)).json()[0]["last_run"] is None


async def test_a_run_belongs_to_its_account_and_type(twin: Twin) -> None:
    run = await start(twin, users="1")
    engineering = twin.cast.accounts["engineering"].id

    for path in (
        f"/api/v1/accounts/{engineering}/reports/{PROVISIONING}/{run['id']}",
        f"{REPORTS}/{SIS_EXPORT}/{run['id']}",
        f"{P}/{run['id'] + 1}",
        f"{REPORTS}/no_such_csv",
    ):
        assert (await twin.get(path)).status_code == 404


@pytest.mark.parametrize("account", ["self", "sis_account_id:ENG"])
async def test_the_account_is_named_in_any_form(twin: Twin, account: str) -> None:
    assert (await twin.get(f"/api/v1/accounts/{account}/reports")).status_code == 200


async def test_who_may_not_read_reports_is_refused(twin: Twin, make_twin: MakeTwin) -> None:
    assert (await twin.get(REPORTS, "registrar")).status_code == 401
    assert (await twin.client.get(REPORTS)).status_code == 401
    assert (await twin.get(REPORTS, "sub_admin")).status_code == 401
    computing = twin.cast.accounts["computing"].id
    assert (await twin.get(f"/api/v1/accounts/{computing}/reports", "sub_admin")).status_code == 200
    assert (await make_twin(forbidden_is_403=True).get(REPORTS, "registrar")).status_code == 403


async def test_a_bad_term_is_refused_at_once(twin: Twin) -> None:
    data = {"parameters[enrollments]": "1", "parameters[enrollment_term_id]": "sis_term_id:NO"}

    response = await twin.send("POST", P, data=data)

    assert response.status_code == 400
    assert response.json() == {"error": "invalid enrollment_term_id 'sis_term_id:NO'"}


@pytest.mark.parametrize("terms", ["active_terms", "1,2"])
async def test_a_list_of_terms_passes_the_check_and_fails_the_run(twin: Twin, terms: str) -> None:
    run = await start(twin, enrollments="1", enrollment_term_id=terms)

    assert (await finished(twin, run))["status"] == "error"


async def test_older_canvas_takes_a_bad_term_and_fails_later(make_twin: MakeTwin) -> None:
    twin = make_twin(newest_exporter=False)

    run = await start(twin, enrollments="1", enrollment_term_id="4040")

    assert (await finished(twin, run))["status"] == "error"


async def test_the_file_lies_on_another_origin_and_its_way_takes_no_token(twin: Twin) -> None:
    run = await finished(twin, await start(twin, users="1"))
    url = run["attachment"]["url"]
    assert url.startswith(f"{BASE_URL}/files/{run['attachment']['id']}/download?download_frd=1")
    assert url.endswith(f"&verifier={run['attachment']['uuid']}")

    first = await twin.client.get(url, headers=twin.bearer())
    assert first.status_code == 302
    assert httpx.URL(first.headers["location"]).host == "files.canvas.test"

    refused = await twin.client.get(first.headers["location"], headers=twin.bearer())
    assert refused.status_code == 400
    second = await twin.client.get(first.headers["location"])
    assert second.status_code == 302
    third = await twin.client.get(second.headers["location"])
    assert len(third.content) == run["attachment"]["size"]


async def test_the_final_url_dies_and_the_verifier_lives_on(twin: Twin) -> None:
    run = await finished(twin, await start(twin, users="1"))
    storage = (await twin.client.get(run["attachment"]["url"])).headers["location"]

    twin.clock.advance(timedelta(days=1))

    assert (await twin.client.get(storage)).status_code == 403
    assert (await twin.client.get(storage.replace("until=1", "until=9"))).status_code == 403
    assert len(await content(twin, run)) == run["attachment"]["size"]


@pytest.mark.parametrize("query", ["", "?verifier=wrong", "?verifier=%C3%A9"])
async def test_without_the_verifier_a_token_opens_nothing(twin: Twin, query: str) -> None:
    run = await finished(twin, await start(twin, users="1"))
    file_url = run["file_url"] + query

    response = await twin.client.get(file_url, headers=twin.bearer())

    assert (response.status_code, response.headers["location"]) == (302, f"{BASE_URL}/login")


async def test_without_verifiers_the_public_url_is_the_way(make_twin: MakeTwin) -> None:
    twin = make_twin(uuid_verifiers=False)
    run = await finished(twin, await start(twin, users="1"))
    file = run["attachment"]
    assert "verifier" not in file["url"]
    assert (await twin.client.get(file["url"])).headers["location"] == f"{BASE_URL}/login"

    path = f"/api/v1/files/{file['id']}/public_url"
    public = (await twin.get(path)).json()["public_url"]

    assert len((await twin.client.get(public)).content) == file["size"]
    assert (await twin.get(path, "student")).status_code == 401
    assert (await twin.get(path, "student", verifier=file["uuid"])).status_code == 200


async def test_newer_canvas_tells_who_and_how_long(make_twin: MakeTwin) -> None:
    twin = make_twin(report_extra_keys=True)

    run = await finished(twin, await start(twin, users="1"))

    assert run["user"]["id"] == twin.cast.people["admin"].id
    assert run["run_time"] > 0


async def test_the_extract_is_read_when_the_run_starts_not_when_it_is_asked_for(twin: Twin) -> None:
    run = await start(twin, users="1")
    twin.clock.advance(timedelta(hours=1))
    await twin.get("/api/v1/accounts/1")  # any request lets the background catch up
    twin.school.update(twin.cast.people["student"], name="Too Late")

    names = [
        row["full_name"]
        for row in csv.DictReader(
            io.StringIO((await content(twin, await finished(twin, run))).decode())
        )
    ]

    assert "Too Late" not in names
    assert "Zoë Neil" in names
