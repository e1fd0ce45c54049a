"""Changes of the school that touch several rows: conclusion, cross-listing, deletion, merging.

Fact sheets enrollments-api.md sections 2.6 and 4, roster-rest.md section 6, identity.md 4.1.
"""

from twin.records import Course, Enrollment, Row, Section, User, UserPastLtiId
from twin.school import School


def set_enrollment_state(school: School, enrollment: Enrollment, state: str) -> None:
    """A stored state with the time that Canvas keeps beside it."""
    if state == "completed":
        school.update(enrollment, workflow_state=state, completed_at=school.clock.now())
    else:
        school.update(enrollment, workflow_state=state, completed_at=None)


def publish_course(school: School, course: Course) -> None:
    """Publishing invites everybody whose enrollment waited for it."""
    school.update(course, workflow_state="available")
    for row in list(school.enrollments_of_course.of(course.id)):
        if row.workflow_state == "creation_pending":
            set_enrollment_state(school, row, "invited")


def conclude_course(school: School, course: Course) -> None:
    """`active` and `invited` become `completed` at once; nothing brings them back."""
    school.update(course, workflow_state="completed")
    for row in list(school.enrollments_of_course.of(course.id)):
        if row.workflow_state in {"active", "invited"}:
            set_enrollment_state(school, row, "completed")


def unconclude_course(school: School, course: Course) -> None:
    school.update(course, workflow_state="available")


def delete_course(school: School, course: Course) -> None:
    """Everything in the course becomes `deleted`, its sections too."""
    school.update(course, workflow_state="deleted")
    for row in list(school.enrollments_of_course.of(course.id)):
        set_enrollment_state(school, row, "deleted")
    for section in list(school.sections_of_course.of(course.id)):
        school.update(section, workflow_state="deleted")


def undelete_course(school: School, course: Course) -> None:
    """The course comes back unpublished and empty; its sections come with it."""
    school.update(course, workflow_state="claimed")
    for section in list(school.sections_of_course.of(course.id)):
        school.update(section, workflow_state="active")


def delete_section(school: School, section: Section) -> None:
    school.update(section, workflow_state="deleted")
    for row in list(school.enrollments_of_section.of(section.id)):
        set_enrollment_state(school, row, "deleted")


def crosslist(school: School, section: Section, course: Course) -> None:
    """The section lives in another course now; its people go with it and keep their rows."""
    if section.course_id == course.id:
        return
    original = section.nonxlist_course_id or section.course_id
    _move(school, section, course.id, None if original == course.id else original)


def uncrosslist(school: School, section: Section) -> None:
    if section.nonxlist_course_id is not None:
        _move(school, section, section.nonxlist_course_id, None)


def _move(school: School, section: Section, course_id: int, original: int | None) -> None:
    school.update(section, course_id=course_id, nonxlist_course_id=original)
    for row in list(school.enrollments_of_section.of(section.id)):
        school.update(row, course_id=course_id)


def delete_user(school: School, user: User) -> None:
    school.update(user, workflow_state="deleted")
    for login in list(school.pseudonyms_of_user.of(user.id)):
        school.update(login, workflow_state="deleted")
    for row in list(school.enrollments_of_user.of(user.id)):
        set_enrollment_state(school, row, "deleted")


def merge_users(school: School, loser: User, survivor: User) -> None:
    """Everything of the loser becomes the survivor's; LTI tools see one of two things.

    Either the survivor takes over the loser's LTI ids (it had no enrollment and no admin role), or
    it shows the loser's old ids in the contexts where the loser was a member.
    """
    if _is_blank(school, survivor) and not school.past_lti_ids.of(loser.id):
        _swap_lti_ids(school, loser, survivor)
    else:
        _keep_past_ids(school, loser, survivor)
    _hand_over(school, loser, survivor)
    school.update(loser, workflow_state="deleted", merged_into_id=survivor.id)


def _is_blank(school: School, user: User) -> bool:
    return not school.enrollments_of_user.of(user.id) and not school.admins_of_user.of(user.id)


def _swap_lti_ids(school: School, loser: User, survivor: User) -> None:
    loser_ids = {"lti_id": loser.lti_id, "lti_context_id": loser.lti_context_id, "uuid": loser.uuid}
    mine = {name: getattr(survivor, name) for name in loser_ids}
    school.update(loser, **mine)
    school.update(survivor, **loser_ids)


def _keep_past_ids(school: School, loser: User, survivor: User) -> None:
    for past in school.past_lti_ids.pop(loser.id, []):
        past.user_id = survivor.id
        school.add_past_lti_id(past)
    contexts = [
        *(("Course", row.course_id) for row in school.enrollments_of_user.of(loser.id)),
        *(("Account", admin.account_id) for admin in school.admins_of_user.of(loser.id)),
    ]
    kept = {(past.context_type, past.context_id) for past in school.past_lti_ids.of(survivor.id)}
    for context_type, context_id in dict.fromkeys(contexts):
        if (context_type, context_id) not in kept:
            school.add_past_lti_id(
                UserPastLtiId(
                    user_id=survivor.id,
                    context_type=context_type,
                    context_id=context_id,
                    user_lti_id=loser.lti_id,
                    user_lti_context_id=loser.lti_context_id,
                    user_uuid=loser.uuid,
                )
            )


def _hand_over(school: School, loser: User, survivor: User) -> None:
    for row in list(school.enrollments_of_user.of(loser.id)):
        school.update(row, user_id=survivor.id)
        if _is_double(school, row):
            set_enrollment_state(school, row, "deleted")
    owned: tuple[Row, ...] = (
        *school.pseudonyms_of_user.of(loser.id),
        *school.channels_of_user.of(loser.id),
        *school.admins_of_user.of(loser.id),
        *school.tokens_of_user.of(loser.id),
    )
    for thing in owned:
        school.update(thing, user_id=survivor.id)
    for link in list(school.observations_by_observer.of(loser.id)):
        school.update(link, observer_id=survivor.id)
    for link in list(school.observations_of_student.of(loser.id)):
        school.update(link, student_id=survivor.id)


def _is_double(school: School, moved: Enrollment) -> bool:
    """Whether the survivor already had this very enrollment."""
    return any(
        row is not moved
        and row.workflow_state != "deleted"
        and (row.section_id, row.type, row.role_id, row.associated_user_id)
        == (moved.section_id, moved.type, moved.role_id, moved.associated_user_id)
        for row in school.enrollments_of_user.of(moved.user_id)
    )


def lti_ids_in(
    school: School, user: User, context_type: str, context_id: int
) -> tuple[str, str, str]:
    """`sub`, LTI 1.1 id and uuid as this context sees the user (identity.md 4.1)."""
    for past in school.past_lti_ids.of(user.id):
        if (past.context_type, past.context_id) == (context_type, context_id):
            return past.user_lti_id, past.user_lti_context_id, past.user_uuid
    return user.lti_id, user.lti_context_id, user.uuid
