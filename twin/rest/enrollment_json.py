"""An enrollment as one caller is shown it: keys vanish with the caller's permissions.

Fact sheet enrollments-api.md section 3.
"""

from typing import Any

from twin.call import Call, iso
from twin.permissions import Rights, account_rights, course_rights, root_rights
from twin.records import STUDENT_TYPES, Course, Enrollment
from twin.rest.render import login_of, user_json

GRADE_RIGHTS = frozenset({"manage_grades", "view_all_grades"})


class EnrollmentJson:
    """The answer's objects of one call; what the caller may see is worked out once a course."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._school = call.school
        self._root_rights = root_rights(call.school, call.user)
        self._course_rights: dict[int, Rights] = {}
        self._observed = observed_by(call)

    def of(self, row: Enrollment) -> dict[str, Any]:
        """Without `user`: show, create, delete and reactivate answer this."""
        course = self._school.courses[row.course_id]
        rights = self._rights(course)
        return (
            self._always(row, course)
            | self._activity(row, rights)
            | self._sis(row, course, rights)
            | self._grades(row, course, rights)
            | self._included(row, course, rights)
        )

    def listed(self, row: Enrollment) -> dict[str, Any]:
        """With `user`, as lists have it."""
        user = self._school.users[row.user_id]
        course = self._school.courses[row.course_id]
        return self.of(row) | {"user": user_json(self._call, user, course, enrollment=row)}

    def _rights(self, course: Course) -> Rights:
        if course.id not in self._course_rights:
            self._course_rights[course.id] = course_rights(self._school, self._call.user, course)
        return self._course_rights[course.id]

    def _always(self, row: Enrollment, course: Course) -> dict[str, Any]:
        section = self._school.sections[row.section_id]
        gone = "deleted" in {course.workflow_state, section.workflow_state}
        data: dict[str, Any] = {
            "id": row.id,
            "root_account_id": self._school.root.id,
            "user_id": row.user_id,
            "course_id": row.course_id,
            "course_section_id": row.section_id,
            "type": row.type,
            "role": self._school.roles[row.role_id].name,
            "role_id": row.role_id,
            "enrollment_state": "deleted" if gone else row.workflow_state,
            "limit_privileges_to_course_section": row.limit_privileges_to_course_section,
            "associated_user_id": row.associated_user_id,
            "start_at": iso(row.start_at),
            "end_at": iso(row.end_at),
            "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at),
            "html_url": f"{self._url(row)}/users/{row.user_id}",
        }
        if self._call.options.temporary_enrollments:
            data["temporary_enrollment_source_user_id"] = row.temporary_source_user_id
            data["temporary_enrollment_pairing_id"] = row.temporary_pairing_id
        return data

    def _url(self, row: Enrollment) -> str:
        return f"{self._call.options.public_url}/courses/{row.course_id}"

    def _activity(self, row: Enrollment, rights: Rights) -> dict[str, Any]:
        if row.user_id != self._call.user.id and "read_reports" not in rights:
            return {}
        return {
            "last_activity_at": iso(row.last_activity_at),
            "last_attended_at": iso(row.last_attended_at),
            "total_activity_time": row.total_activity_time,
        }

    def _sis(self, row: Enrollment, course: Course, rights: Rights) -> dict[str, Any]:
        """SIS keys are absent, not null, without the right to read them."""
        data: dict[str, Any] = {}
        manages = "manage_sis" in self._root_rights
        if manages:
            data["sis_import_id"] = row.sis_batch_id
        if manages or "read_sis" in rights:
            section = self._school.sections[row.section_id]
            login = login_of(self._school, self._school.users[row.user_id], row)
            account = self._school.accounts[course.account_id]
            data |= {
                "sis_account_id": account.sis_source_id,
                "sis_course_id": course.sis_source_id,
                "course_integration_id": course.integration_id,
                "sis_section_id": section.sis_source_id,
                "section_integration_id": section.integration_id,
                "sis_user_id": None if login is None else login.sis_user_id,
            }
        return data

    def _grades(self, row: Enrollment, course: Course, rights: Rights) -> dict[str, Any]:
        """Students' rows only; the scores for whoever may read them, the link for everybody."""
        if row.type not in STUDENT_TYPES:
            return {}
        grades: dict[str, Any] = {"html_url": f"{self._url(row)}/grades/{row.user_id}"}
        graders = bool(rights & GRADE_RIGHTS)
        own = row.user_id == self._call.user.id and not course.hide_final_grades
        if graders or own or row.user_id in self._observed:
            grades |= _scores(row, "")
        if graders:
            grades |= _scores(row, "unposted_")
        if self._call.includes("current_points"):
            grades["current_points"] = row.current_score
            if graders:
                grades["unposted_current_points"] = row.current_score
        return {"grades": grades}

    def _included(self, row: Enrollment, course: Course, rights: Rights) -> dict[str, Any]:
        call = self._call
        data: dict[str, Any] = {}
        locked = row.sis_batch_id is not None and not self._manages_sis(course)
        if call.includes("locked"):
            data["locked"] = locked
        if call.includes("can_be_removed"):
            right = f"remove_{row.type.removesuffix('Enrollment').lower()}_from_course"
            data["can_be_removed"] = not locked and right in rights
        if call.includes("observed_users") and row.associated_user_id is not None:
            data |= self._observed_user(row, course)
        if call.includes("temporary_enrollment_providers") and row.temporary_source_user_id:
            provider = self._school.users[row.temporary_source_user_id]
            data["temporary_enrollment_provider"] = user_json(call, provider, course)
        return data

    def _manages_sis(self, course: Course) -> bool:
        account = self._school.accounts[course.account_id]
        settings = account_rights(self._school, self._call.user, account)
        return "manage_account_settings" in settings or "manage_sis" in self._root_rights

    def _observed_user(self, row: Enrollment, course: Course) -> dict[str, Any]:
        observed = self._school.users.get(row.associated_user_id or 0)
        if row.type != "ObserverEnrollment" or observed is None:
            return {}
        if observed.workflow_state == "deleted":
            return {}
        studies = [
            self.of(study)
            for study in self._school.enrollments_of_user.of(observed.id)
            if study.course_id == course.id
            and study.type in STUDENT_TYPES
            and study.workflow_state != "deleted"
        ]
        user = user_json(self._call, observed, course)
        return {"observed_user": user | {"enrollments": studies}}


def observed_by(call: Call) -> set[int]:
    """The students whose scores the caller may read as a parent."""
    school, user = call.school, call.user
    links = school.observations_by_observer.of(user.id)
    students = {link.student_id for link in links if link.workflow_state == "active"}
    for row in school.enrollments_of_user.of(user.id):
        observing = row.type == "ObserverEnrollment" and row.workflow_state == "active"
        if observing and row.associated_user_id is not None:
            students.add(row.associated_user_id)
    return students


def _scores(row: Enrollment, prefix: str) -> dict[str, Any]:
    """The generated school has scores and no grading scheme, so every grade is null."""
    return {
        f"{prefix}current_score": row.current_score,
        f"{prefix}current_grade": None,
        f"{prefix}final_score": row.final_score,
        f"{prefix}final_grade": None,
    }
