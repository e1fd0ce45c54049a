"""People and their logins: who is who after a report, what aliases live and end, who is not believed."""

from pathlib import Path

from gateway.sync.report_files import Limits
from gateway.uow import Transaction
from models.roster import SyncRunState
from tests.gateway.sync.conftest import School
from tests.gateway.sync.reports import csv_text, enrollment, report, user, zipped

AMARA = user(9001, "Amara Okoye")
BEN = user(9002, "Ben Lind")


async def aliases(school: School, *, live: bool = True) -> set[tuple[int, str, str]]:
    """Local Canvas id of the person, kind, value."""
    rows = await school.database.rows(
        "select p.canvas_id, i.kind, i.value from identity i join person p on p.id = i.person_id"
        f" and p.institution_id = i.institution_id where i.institution_id = $1 and i.ended_at is {'' if live else 'not'} null",
        school.institution.id,
    )
    return {(row["canvas_id"] % 10**13, row["kind"], row["value"]) for row in rows}


async def test_two_logins_are_one_person_under_the_primary_one(
    school: School, tmp_path: Path
) -> None:
    second = user(
        9001,
        "Amara Okoye",
        user_id="",
        login_id="AMARA@home.example",
        authentication_provider_id="",
    )
    third = user(9001, "Amara Okoye", user_id="U0001", login_id="a.okoye", status="suspended")

    summary = await school.take_in(report(tmp_path / "r.zip", users=[second, third, AMARA, BEN]))

    assert (4, 2) == (summary.total.rows, summary.total.created)
    amara, _ = await school.rows("person", order="canvas_id")
    assert ("U9001", "amara.okoye", "ACTIVE") == (
        amara["sis_id"],
        amara["login_id"],
        amara["state"],
    )
    assert {
        (9001, "canvas_global_id", str(10**13 + 9001)),
        (9001, "canvas_uuid", "uuid-9001"),
        (9001, "sis_user_id", "U9001"),
        (9001, "sis_user_id", "U0001"),
        (9001, "login_id", "amara.okoye"),
        (9001, "login_id", "a.okoye"),
        (9001, "login_id", "amara@home.example"),
        (9001, "email", "amara.okoye@example.edu"),
    } == {alias for alias in await aliases(school) if alias[0] == 9001}


async def test_the_order_of_logins_does_not_matter(school: School, tmp_path: Path) -> None:
    second = user(9001, "Amara Okoye", user_id="", login_id="amara@home.example")
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA, second, BEN]))

    summary = await school.take_in(report(tmp_path / "2.zip", users=[second, BEN, AMARA]))

    assert (0, 2) == (summary.total.updated, summary.total.unchanged)


async def test_logins_of_many_meet_wherever_they_stand(school: School, tmp_path: Path) -> None:
    """Half of the people have three logins, each a whole file apart, in more than one part of the work."""
    several, limits = range(0, 60, 2), Limits(block_bytes=1024, chunk_rows=20)

    def file(name: str, label: str) -> Path:
        people = [user(9000 + n, f"{label} {n}") for n in range(60)]
        more = [
            user(9000 + n, f"{label} {n}", user_id="", login_id=f"{place}-{n}")
            for place in ("home", "clinic")
            for n in several
        ]
        return report(tmp_path / name, users=[*people, *more])

    first = await school.take_in(file("1.zip", "First"), limits=limits)
    again = await school.take_in(file("2.zip", "First"), limits=limits)
    renamed = await school.take_in(file("3.zip", "Second"), limits=limits)

    assert (60, 0, 60) == (first.total.created, again.total.created, again.total.unchanged)
    assert (0, 60) == (renamed.total.created, renamed.total.updated)
    assert 60 == len(await school.rows("person"))
    logins = {(who, value) for who, kind, value in await aliases(school) if kind == "login_id"}
    expected = {(9000 + n, f"second.{n}") for n in range(60)}
    expected |= {(9000 + n, f"{place}-{n}") for place in ("home", "clinic") for n in several}
    assert expected == logins


async def test_a_person_whose_logins_are_all_deleted_is_deleted_and_known(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA]))

    await school.take_in(report(tmp_path / "2.zip", users=[{**AMARA, "status": "deleted"}]))

    (amara,) = await school.rows("person")
    assert ("DELETED", None) == (amara["state"], amara["removed_at"])
    assert {(9001, "canvas_global_id", str(10**13 + 9001))} == await aliases(school)


async def test_a_changed_sis_id_closes_the_old_alias_and_opens_the_new(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA]))

    summary = await school.take_in(report(tmp_path / "2.zip", users=[{**AMARA, "user_id": "N1"}]))

    assert 1 == summary.total.updated
    assert (9001, "sis_user_id", "N1") in await aliases(school)
    assert {(9001, "sis_user_id", "U9001")} == await aliases(school, live=False)
    (ended,) = await school.rows("identity", where="ended_at is not null")
    assert (str(summary.as_of), None) == (str(ended["ended_at"]), ended["exclusive"])


async def test_a_sis_id_moves_between_two_people_of_one_report(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA, BEN]))
    swapped = [{**AMARA, "user_id": "U9002"}, {**BEN, "user_id": "U9001"}]

    summary = await school.take_in(report(tmp_path / "2.zip", users=swapped))

    assert (2, 0) == (summary.total.updated, summary.total.set_aside)
    live = await aliases(school)
    assert {(9001, "sis_user_id", "U9002"), (9002, "sis_user_id", "U9001")} <= live
    assert not {(9001, "sis_user_id", "U9001"), (9002, "sis_user_id", "U9002")} & live
    assert [] == await school.rows("identity_conflict")


async def test_an_alias_of_somebody_whom_the_report_does_not_show_is_not_taken(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA]))
    path = report(tmp_path / "2.zip", users=[{**BEN, "user_id": "U9001"}])

    summary = await school.take_in(path)

    assert (0, 1) == (summary.total.created, summary.total.set_aside)
    (row,) = summary.set_aside
    assert (2, "the SIS id U9001 belongs to another person") == (row.line, row.reason)
    (conflict,) = await school.rows("identity_conflict")
    (amara,) = await school.rows("person")
    assert ("sis_user_id", "U9001", amara["id"]) == (
        conflict["kind"],
        conflict["value"],
        conflict["other_person_id"],
    )
    assert "line 2" in conflict["evidence"]

    await school.take_in(path)
    assert 1 == len(await school.rows("identity_conflict"))


async def test_an_alias_of_somebody_deleted_is_free(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA]))
    await school.take_in(report(tmp_path / "2.zip", users=[{**AMARA, "status": "deleted"}]))

    summary = await school.take_in(report(tmp_path / "3.zip", users=[{**BEN, "user_id": "U9001"}]))

    assert (1, 0) == (summary.total.created, summary.total.set_aside)
    assert (9002, "sis_user_id", "U9001") in await aliases(school)


async def test_two_people_who_claim_one_sis_id_are_both_set_aside_and_still_enrolled(
    school: School, tmp_path: Path
) -> None:
    users = [{**AMARA, "user_id": "U1"}, {**BEN, "user_id": "U1"}]
    enrollments = [enrollment(30001, 9001), enrollment(30002, 9002)]

    summary = await school.take_in(report(tmp_path / "r.zip", users=users, enrollments=enrollments))

    assert (2, 2) == (summary.total.created, summary.total.set_aside)
    assert [(2, True), (3, True)] == [
        (row.line, "at another person in this file" in row.reason) for row in summary.set_aside
    ]
    assert [None, None] == [row["name"] for row in await school.rows("person")]
    assert 1 == len(await school.rows("identity_conflict"))


async def test_whoever_has_a_contested_sis_id_keeps_it(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[AMARA]))

    summary = await school.take_in(
        report(tmp_path / "2.zip", users=[AMARA, {**BEN, "user_id": "U9001"}])
    )

    assert (0, 1) == (summary.total.created, summary.total.set_aside)
    assert (9001, "sis_user_id", "U9001") in await aliases(school)
    (amara,) = await school.rows("person")
    (conflict,) = await school.rows("identity_conflict")
    assert amara["id"] == conflict["other_person_id"]


async def test_a_person_of_a_launch_is_recognised_by_uuid_or_sis_id(
    school: School, tmp_path: Path
) -> None:
    await _known_by(school, "canvas_uuid", "uuid-9001", name="A.")
    await _known_by(school, "sis_user_id", "U9002", name="B.")

    summary = await school.take_in(report(tmp_path / "r.zip", users=[AMARA, BEN]))

    assert (0, 2) == (summary.total.created, summary.total.updated)
    assert ["Amara Okoye", "Ben Lind"] == [row["name"] for row in await school.rows("person")]


async def _known_by(school: School, kind: str, value: str, *, name: str) -> None:
    async def work(tx: Transaction) -> None:
        (person,) = await tx.rows(
            "insert into person (institution_id, name, sort_key, search_key, name_source, name_as_of)"
            " values ($1, $2, '', '', 'LAUNCH', $3) returning id",
            school.institution.id,
            name,
            school.now,
        )
        await tx.run(
            "insert into identity (institution_id, person_id, kind, scope, value, exclusive, source, first_seen_at,"
            " last_seen_at) values ($1, $2, $3, '', $4, $5, 'LAUNCH', $6, $6)",
            school.institution.id,
            person["id"],
            kind,
            value,
            True,
            school.now,
        )

    await school.database.transact(work)


async def test_variables_that_a_platform_did_not_know_are_no_values(
    school: School, tmp_path: Path
) -> None:
    odd = {**AMARA, "user_id": "$Canvas.user.sisSourceId", "integration_id": "$Person.sourcedId"}

    await school.take_in(
        report(tmp_path / "r.zip", users=[odd, {**BEN, "user_id": "$Canvas.user.sisSourceId"}])
    )

    assert [None, None] == [row["sis_id"] for row in await school.rows("person")]
    assert not {kind for _, kind, _ in await aliases(school)} & {"sis_user_id", "integration_id"}


async def test_a_column_that_is_not_there_blanks_nothing(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", users=[{**AMARA, "pronouns": "she/her"}]))
    columns = ["canvas_user_id", "user_id", "login_id", "full_name", "status"]
    text = csv_text("users", [{**AMARA, "full_name": "Amara O."}], columns=columns)
    summary = await school.take_in(zipped(tmp_path / "2.zip", {"users.csv": text}))

    (amara,) = await school.rows("person")
    assert (SyncRunState.SUCCEEDED, 1) == (summary.state, summary.total.updated)
    assert ("Amara O.", "she/her", "amara.okoye@example.edu") == (
        amara["name"],
        amara["pronouns"],
        amara["email"],
    )
    assert (9001, "email", "amara.okoye@example.edu") in await aliases(school)
