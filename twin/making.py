"""New rows with everything that Canvas gives them by itself: ids, uuids, LTI ids, times."""

from datetime import datetime
from typing import Any

from twin import opaque_ids
from twin.ids import default_term
from twin.records import (
    AccessToken,
    Account,
    AccountUser,
    CommunicationChannel,
    Course,
    Enrollment,
    Pseudonym,
    Section,
    Term,
    User,
    UserObservation,
)
from twin.school import ROOT_ACCOUNT_ID, School


def sortable(name: str) -> str:
    """`Neil, Zoe` of `Zoe Neil`, as Canvas guesses it."""
    given, _, family = name.strip().rpartition(" ")
    return f"{family}, {given}" if given else family


def make_account(school: School, name: str, parent_id: int | None, **fields: Any) -> Account:
    row_id, seed = school.new_id(Account), school.options.seed
    uuid = opaque_ids.canvas_uuid(seed, "account", row_id)
    return school.add(
        Account(
            id=row_id,
            name=name,
            parent_id=parent_id,
            uuid=uuid,
            lti_context_id=opaque_ids.lti_context_id(seed, "account", row_id),
            lti_guid=f"{uuid}:canvas-lms",  # the form of lti-launch.md 1.1
            **_times(school, fields),
        )
    )


def make_term(school: School, name: str, **fields: Any) -> Term:
    row_id = school.new_id(Term)
    return school.add(
        Term(id=row_id, account_id=ROOT_ACCOUNT_ID, name=name, **_times(school, fields))
    )


def make_user(school: School, name: str, *, id_base: int = 0, **fields: Any) -> User:
    row_id, seed = school.new_id(User) + id_base, school.options.seed
    fields.setdefault("sortable_name", sortable(name))
    fields.setdefault("short_name", name)
    return school.add(
        User(
            id=row_id,
            uuid=opaque_ids.canvas_uuid(seed, "user", row_id),
            lti_id=opaque_ids.lti_id(seed, row_id),
            lti_context_id=opaque_ids.lti_context_id(seed, "user", row_id),
            name=name,
            **_times(school, fields),
        )
    )


def make_login(school: School, user: User, unique_id: str, **fields: Any) -> Pseudonym:
    return school.add(
        Pseudonym(
            id=school.new_id(Pseudonym),
            user_id=user.id,
            account_id=ROOT_ACCOUNT_ID,
            unique_id=unique_id,
            position=len(school.pseudonyms_of_user.of(user.id)) + 1,
            **_times(school, fields),
        )
    )


def make_email(school: School, user: User, path: str, **fields: Any) -> CommunicationChannel:
    return school.add(
        CommunicationChannel(
            id=school.new_id(CommunicationChannel),
            user_id=user.id,
            path=path,
            position=len(school.channels_of_user.of(user.id)) + 1,
            **_times(school, fields),
        )
    )


def make_course(
    school: School, name: str, account: Account, term: Term | None = None, **fields: Any
) -> Course:
    row_id, seed = school.new_id(Course), school.options.seed
    fields.setdefault("course_code", name)
    return school.add(
        Course(
            id=row_id,
            uuid=opaque_ids.canvas_uuid(seed, "course", row_id),
            lti_context_id=opaque_ids.lti_context_id(seed, "course", row_id),
            account_id=account.id,
            term_id=(term or default_term(school)).id,
            name=name,
            **_times(school, fields),
        )
    )


def make_section(school: School, course: Course, name: str, **fields: Any) -> Section:
    return school.add(
        Section(id=school.new_id(Section), course_id=course.id, name=name, **_times(school, fields))
    )


def default_section(school: School, course: Course) -> Section:
    """The course's default section, made on demand with the course's name (roster-rest.md 6)."""
    for section in school.sections_of_course.of(course.id):
        if section.default_section and section.workflow_state == "active":
            return section
    return make_section(school, course, course.name, default_section=True)


def make_enrollment(
    school: School,
    user: User,
    section: Section,
    enrollment_type: str,
    role_id: int,
    workflow_state: str = "active",
    **fields: Any,
) -> Enrollment:
    """The bare row; what a POST checks and decides is in twin/rest."""
    return school.add(
        Enrollment(
            id=school.new_id(Enrollment),
            user_id=user.id,
            course_id=section.course_id,
            section_id=section.id,
            type=enrollment_type,
            role_id=role_id,
            workflow_state=workflow_state,
            **_times(school, fields),
        )
    )


def make_admin(
    school: School, user: User, account: Account, role_id: int, **fields: Any
) -> AccountUser:
    return school.add(
        AccountUser(
            id=school.new_id(AccountUser),
            user_id=user.id,
            account_id=account.id,
            role_id=role_id,
            **_times(school, fields),
        )
    )


def make_observation(
    school: School, observer: User, student: User, **fields: Any
) -> UserObservation:
    return school.add(
        UserObservation(
            id=school.new_id(UserObservation),
            observer_id=observer.id,
            student_id=student.id,
            **_times(school, fields),
        )
    )


def make_token(
    school: School, user: User, developer_key_id: int, token: str, **fields: Any
) -> AccessToken:
    return school.add(
        AccessToken(
            id=school.new_id(AccessToken),
            user_id=user.id,
            developer_key_id=developer_key_id,
            token=token,
            **_times(school, fields),
        )
    )


def _times(school: School, fields: dict[str, Any]) -> dict[str, Any]:
    """Made now, unless the caller says when."""
    created_at: datetime = fields.pop("created_at", None) or school.clock.now()
    updated_at: datetime = fields.pop("updated_at", None) or created_at
    return {"created_at": created_at, "updated_at": updated_at, **fields}
