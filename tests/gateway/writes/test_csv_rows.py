"""CSV files of rosters: the three forms, and what is said of a row that cannot be read."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from gateway.errors import UnusableFile
from gateway.readpath.lookups import By
from gateway.writes import csv_rows
from gateway.writes.roster_rows import Miss, Said
from models.roster import EnrollmentState, EnrollmentType

S = EnrollmentState
T = EnrollmentType
DAY = datetime(2026, 9, 1, tzinfo=UTC)

SIMPLE = "sis_user_id,login_id,sis_section_id,canvas_course_id,type,role,state,start_at,end_at,limit_privileges_to_course_section"
SIS = "course_id,section_id,user_id,user_integration_id,role,status,associated_user_id,limit_section_privileges,start_date,end_date"
ONE_ROSTER = "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate"


def only(text: str) -> Said | Miss:
    [row] = csv_rows.read(text)
    return row


def by(type_name: str, form: str, value: str) -> By:
    return By(type_name, form, value)


def test_our_own_form_names_people_and_places_in_any_way() -> None:
    said = only(f"\ufeff{SIMPLE}\nU-1,,S-1,12,ta,Grader,inactive,2026-09-01,,TRUE\n")
    assert said == Said(
        row=2,
        text="U-1,,S-1,12,ta,Grader,inactive,2026-09-01,,TRUE",
        user=by("User", "sisId", "U-1"),
        section=by("Section", "sisId", "S-1"),
        course=by("Course", "canvasId", "12"),
        type=T.TA,
        role="Grader",
        state=S.INACTIVE,
        start_at=DAY,
        limited=True,
    )
    said = only(f"{SIMPLE.upper()}\n,zoe@x,S-1,,,Grader,,,,\n")
    assert isinstance(said, Said)
    assert (said.user, said.type, said.state) == (by("User", "loginId", "zoe@x"), None, None)


def test_canvas_s_own_form() -> None:
    said = only(
        f"{SIS}\nC-1,S-1,U-1,,student,Active,,,2026-09-01T00:00:00Z,2026-09-01T02:00:00+02:00"
    )
    assert isinstance(said, Said)
    assert said.course == by("Course", "sisId", "C-1")
    assert (said.role, said.state) == ("student", S.ACTIVE)
    assert (said.start_at, said.end_at, said.limited) == (DAY, DAY, UNSET)
    said = only(f"{SIS}\n,S-1,U-1,I-1,observer,deleted,U-2,0,,")
    assert isinstance(said, Said)
    assert said.user == by("User", "integrationId", "I-1")
    assert said.associated == by("User", "sisId", "U-2")
    assert (said.state, said.limited, said.start_at) == (S.DELETED, False, UNSET)


def test_one_roster_s_form() -> None:
    said = only(f"{ONE_ROSTER}\n1,tobedeleted,,S-1,X,U-1,aide,false,,")
    assert isinstance(said, Said)
    assert (said.section, said.type, said.state) == (by("Section", "sisId", "S-1"), T.TA, S.DELETED)
    said = only(f"{ONE_ROSTER}\n1,,,S-1,X,U-1,student,false,2026-09-01,2026-09-01")
    assert isinstance(said, Said)
    assert (said.state, said.start_at, said.end_at) == (None, DAY, DAY)
    said = only(f"{ONE_ROSTER}\n1,active,,S-1,X,U-1,student,false,2026-09-01,")
    assert isinstance(said, Said)
    assert said.start_at is UNSET


MISSES = {
    "nobody": (f"{SIMPLE}\n,,S-1,,STUDENT,,,,,", "it names nobody"),
    "no type": (f"{SIMPLE}\nU,,S-1,,boss,,,,,", "'boss' is none of STUDENT"),
    "no state": (f"{SIMPLE}\nU,,S-1,,STUDENT,,gone,,,", "'gone' is none of ACTIVE"),
    "no time": (f"{SIMPLE}\nU,,S-1,,STUDENT,,,soon,,", "'soon' is no time"),
    "no flag": (f"{SIMPLE}\nU,,S-1,,STUDENT,,,,,maybe", "neither true nor false"),
    "too long": (f"{SIMPLE}\nU,,S-1,,STUDENT,,,,,,more", "it has 11 cells, and the header 10"),
    "SIS status": (f"{SIS}\nC,S,U,,student,gone,,,,", "its status 'gone' is none of active"),
    "SIS last completed": (f"{SIS}\nC,S,U,,student,deleted_last_completed,,,,", "is none of"),
    "SIS role": (f"{SIS}\nC,S,U,,,active,,,,", "it has no role"),
    "SIS nobody": (f"{SIS}\nC,S,,,student,active,,,,", "it names nobody"),
    "OneRoster role": (
        f"{ONE_ROSTER}\n1,active,,S,X,U,guardian,,,",
        "no place in a Canvas section",
    ),
    "OneRoster status": (
        f"{ONE_ROSTER}\n1,gone,,S,X,U,student,,,",
        "neither active nor tobedeleted",
    ),
    "OneRoster nobody": (f"{ONE_ROSTER}\n1,active,,S,X,,student,,,", "it names nobody"),
}


@pytest.mark.parametrize(("text", "reason"), MISSES.values(), ids=MISSES)
def test_a_row_that_cannot_be_read_is_missed_and_the_others_stand(text: str, reason: str) -> None:
    missed = only(text)
    assert isinstance(missed, Miss)
    assert reason in missed.reason
    assert missed.row == 2
    both = csv_rows.read("sis_user_id,sis_section_id,type\nU,S,boss\n\n,,\nU,S,STUDENT\n")
    assert [(type(one), one.row) for one in both] == [(Miss, 2), (Said, 5)]


@pytest.mark.parametrize(
    ("text", "why"),
    {
        "empty": ("", "none of the forms"),
        "another header": ("name,age\n1,2\n", "none of the forms"),
        "a column twice": ("sis_user_id,sis_section_id,sis_user_id\n", "stands twice"),
        "an open quote": ('sis_user_id,sis_section_id,type\n"U,S,STUDENT\n', "line 2"),
    }.values(),
)
def test_a_file_of_no_form_is_unusable(text: str, why: str) -> None:
    with pytest.raises(UnusableFile, match=why):
        csv_rows.read(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, f"sis_user_id,sis_section_id,type\n{text}", f"{SIS}\n{text}"):
        try:
            rows = csv_rows.read(whole)
        except UnusableFile:
            continue
        assert all(isinstance(row, Said | Miss) for row in rows)
