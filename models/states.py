"""What an enrollment lets its person do now: its stored state, its dates and its course taken together.

Canvas keeps no such word in the row: an `active` enrollment stays active before its term starts and after it ends
(canvas-lms: lib/canvas/builders/enrollment_date_builder.rb, app/models/enrollment_state.rb).
"""

from datetime import datetime

from models.roster import CourseState, EffectiveState, EnrollmentState, EnrollmentType

Dates = tuple[datetime | None, datetime | None]

_TEACHER_LIKE = (EnrollmentType.TEACHER, EnrollmentType.TA, EnrollmentType.DESIGNER)
_DATED_STATES = (EnrollmentState.ACTIVE, EnrollmentState.INVITED)


def effective_dates(enrollment: Dates, section: Dates, course: Dates, term: Dates) -> Dates:
    """The dates that count: the enrollment's when both are set, else the nearest that restrict.

    Sections and courses are given dates by the reports only where they restrict to them. A term's dates for
    single roles are in no source that we read.
    """
    if enrollment[0] and enrollment[1]:
        return enrollment
    for dates in (section, course):
        if dates[0] or dates[1]:
            return dates
    return term


def effective_state(
    *,
    stored: str,
    type: str,  # noqa: A002  the graph's word
    course: str | None,
    section_deleted: bool,
    dates: Dates,
    now: datetime,
) -> EffectiveState:
    """The course's end comes before the dates; only stored `active` and `invited` follow either."""
    if course == CourseState.DELETED or section_deleted:
        return EffectiveState.DELETED
    if stored == EnrollmentState.CREATION_PENDING:
        return EffectiveState.PENDING
    if stored not in _DATED_STATES:
        return EffectiveState(stored)
    start, end = dates
    if course == CourseState.COMPLETED or (end is not None and end < now):
        return EffectiveState.COMPLETED
    if start is not None and start > now:
        return EffectiveState.INACTIVE if type in _TEACHER_LIKE else EffectiveState.PENDING
    if course == CourseState.UNPUBLISHED and type not in _TEACHER_LIKE:
        return EffectiveState.PENDING
    return EffectiveState(stored)
