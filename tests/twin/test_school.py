"""Rows, indexes and the changes that touch several rows."""

from datetime import timedelta
from typing import Any

from tests.twin.conftest import Twin
from twin import changes, making
from twin.records import Account, Course, Enrollment, Pseudonym, Section, User
from twin.school import School


def states(rows: list[Enrollment]) -> set[str]:
    return {row.workflow_state for row in rows}


def assert_indexes_hold(school: School) -> None:
    """Every index says what the rows say."""
    for row in school.enrollments.values():
        assert row in school.enrollments_of_course.of(row.course_id)
        assert row in school.enrollments_of_section.of(row.section_id)
        assert row in school.enrollments_of_user.of(row.user_id)
        assert school.sections[row.section_id].course_id == row.course_id
    for index in (school.enrollments_of_course, school.enrollments_of_user):
        assert len(school.enrollments) == sum(map(len, index.values()))
    for login in school.pseudonyms.values():
        assert login in school.pseudonyms_of_user.of(login.user_id)
        if login.workflow_state != "deleted":
            assert login is school.find(Pseudonym, "sis_login_id", login.unique_id)


def test_the_generated_school_is_consistent(twin: Twin) -> None:
    """Indexes, sections and courses agree after all that generation does."""
    assert_indexes_hold(twin.school)


def test_update_refiles_stamps_and_tells(twin: Twin) -> None:
    """Found by the new id and not by the old one; listeners get the old value."""
    school, demo = twin.school, twin.cast.courses["demo"]
    told: list[tuple[str, object, dict[str, Any]]] = []
    school.listeners.append(lambda change, row, old: told.append((change, row, old)))
    twin.clock.advance(timedelta(minutes=1))
    before, version = demo.sis_source_id, school.version
    school.update(demo, sis_source_id="NEW", name=demo.name)

    assert demo is school.find(Course, "sis_course_id", "NEW")
    assert school.find(Course, "sis_course_id", before or "") is None
    assert twin.clock.now() == demo.updated_at
    assert version + 1 == school.version
    assert [("updated", demo, {"sis_source_id": before})] == told


def test_an_update_that_changes_nothing_is_none(twin: Twin) -> None:
    """No stamp, no event."""
    school, demo = twin.school, twin.cast.courses["demo"]
    stamp, version = demo.updated_at, school.version
    twin.clock.advance(timedelta(minutes=1))
    school.update(demo, name=demo.name)

    assert (stamp, version) == (demo.updated_at, school.version)


def test_a_sis_id_can_move_to_another_login(twin: Twin) -> None:
    """Taken from one and given to another it finds the other."""
    school = twin.school
    (old,) = school.pseudonyms_of_user.of(twin.cast.people["student"].id)
    (new,) = school.pseudonyms_of_user.of(twin.cast.people["two_sections"].id)
    school.update(old, sis_user_id=None)
    school.update(new, sis_user_id="000123")

    assert new is school.find(Pseudonym, "sis_user_id", "000123")


def test_cross_listing_moves_people_and_keeps_ids(twin: Twin) -> None:
    """Section and enrollments change course; moving back forgets the origin."""
    school, section = twin.school, twin.cast.sections["crosslisted"]
    demo, evening = twin.cast.courses["demo"], twin.cast.courses["evening"]
    rows = list(school.enrollments_of_section.of(section.id))

    assert (demo.id, evening.id) == (section.course_id, section.nonxlist_course_id)
    assert {demo.id} == {row.course_id for row in rows}
    changes.uncrosslist(school, section)
    assert (evening.id, None) == (section.course_id, section.nonxlist_course_id)
    assert rows == school.enrollments_of_section.of(section.id)
    assert_indexes_hold(school)


def test_cross_listing_twice_keeps_the_first_origin(twin: Twin) -> None:
    """And cross-listing to the origin is moving back."""
    school, section = twin.school, twin.cast.sections["crosslisted"]
    evening = twin.cast.courses["evening"]
    changes.crosslist(school, section, twin.cast.courses["past"])
    assert evening.id == section.nonxlist_course_id
    changes.crosslist(school, section, evening)

    assert section.nonxlist_course_id is None


def test_concluding_a_course_empties_it_for_good(twin: Twin) -> None:
    """Active and invited rows complete; the leftovers stay; un-concluding brings nobody back."""
    school, demo = twin.school, twin.cast.courses["demo"]
    changes.conclude_course(school, demo)
    rows = school.enrollments_of_course.of(demo.id)

    concluded = {"completed", "creation_pending", "inactive", "rejected", "deleted"}
    assert concluded == states(rows)
    assert all(row.completed_at for row in rows if row.workflow_state == "completed")
    changes.unconclude_course(school, demo)
    assert ("available", concluded) == (demo.workflow_state, states(rows))


def test_deleting_a_course_deletes_everything_in_it(twin: Twin) -> None:
    """Undeleted it comes back unpublished and empty."""
    school, demo = twin.school, twin.cast.courses["demo"]
    changes.delete_course(school, demo)
    rows = school.enrollments_of_course.of(demo.id)
    assert {"deleted"} == states(rows)
    changes.undelete_course(school, demo)

    assert ("claimed", {"deleted"}) == (demo.workflow_state, states(rows))


def test_publishing_invites_who_waited(twin: Twin) -> None:
    """`creation_pending` becomes `invited`."""
    school, course = twin.school, twin.cast.courses["unpublished"]
    waiting = [
        row
        for row in school.enrollments_of_course.of(course.id)
        if row.workflow_state == "creation_pending" and row.type == "StudentEnrollment"
    ]
    changes.publish_course(school, course)

    assert waiting
    assert {"invited"} == states(waiting)


def test_a_merge_leaves_past_ids_where_the_loser_was(twin: Twin) -> None:
    """In the demo course the survivor shows the loser's ids, elsewhere the own ones."""
    survivor, gone = twin.cast.people["survivor"], twin.cast.people["merged_away"]
    demo, evening = twin.cast.courses["demo"], twin.cast.courses["open"]

    assert (gone.lti_id, gone.lti_context_id, gone.uuid) == changes.lti_ids_in(
        twin.school, survivor, "Course", demo.id
    )
    assert survivor.lti_id == changes.lti_ids_in(twin.school, survivor, "Course", evening.id)[0]
    assert ("deleted", survivor.id) == (gone.workflow_state, gone.merged_into_id)
    assert not twin.school.enrollments_of_user.of(gone.id)


def test_a_merge_into_a_blank_person_moves_the_ids(twin: Twin) -> None:
    """LTI tools notice nothing."""
    school, student = twin.school, twin.cast.people["student"]
    blank = making.make_user(school, "Newly Registered")
    ids = (student.lti_id, student.lti_context_id, student.uuid)
    changes.merge_users(school, student, blank)

    assert ids == (blank.lti_id, blank.lti_context_id, blank.uuid)
    assert blank is school.find(User, "lti_1_3_id", ids[0])
    assert not school.past_lti_ids.of(blank.id)


def test_merged_enrollments_are_not_doubled(twin: Twin) -> None:
    """Two people in one section become one row; both logins stay."""
    school = twin.school
    loser, winner = twin.cast.people["twin_one"], twin.cast.people["comma"]
    changes.merge_users(school, loser, winner)
    demo = twin.cast.courses["demo"].id
    rows = [
        row
        for row in school.enrollments_of_user.of(winner.id)
        if row.course_id == demo and row.workflow_state != "deleted"
    ]

    assert 1 == len(rows)
    assert 2 == len(school.pseudonyms_of_user.of(winner.id))
    assert_indexes_hold(school)


def test_a_chain_of_merges_keeps_all_past_ids(twin: Twin) -> None:
    """What the survivor already showed moves on with it."""
    school, survivor = twin.school, twin.cast.people["survivor"]
    gone, last = twin.cast.people["merged_away"], twin.cast.people["two_logins"]
    changes.merge_users(school, survivor, last)
    demo = twin.cast.courses["demo"].id

    assert gone.lti_id == changes.lti_ids_in(school, last, "Course", demo)[0]


def test_new_ids_follow_the_old_ones(twin: Twin) -> None:
    """Never one that is taken."""
    school = twin.school

    assert max(school.courses) + 1 == school.new_id(Course)
    assert max(school.sections) + 1 == school.new_id(Section)
    assert max(school.accounts) + 1 == school.new_id(Account)
