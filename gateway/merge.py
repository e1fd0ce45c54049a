"""What a source's word is worth: what its silence proves, whose fact wins, which words do not blur a finer one.

Pure: tables, and the few functions that read them. `gateway/store/` carries them out, set by set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.roster import CourseState, EnrollmentState, RecordState, Source


class Reading(StrEnum):
    """A way to read a roster; a file sent by hand is a report of one kind or the other."""

    ENROLLMENTS_API = "Enrollments API"
    NRPS = "Names and Roles"
    PROVISIONING = "provisioning report"
    SIS_EXPORT = "SIS export"
    LAUNCH = "launch"
    LIVE_EVENT = "Live Event"


class Silence(StrEnum):
    """What it proves that somebody is missing from a whole reading."""

    REMOVED = "removed"  # has no enrollment in the states that were asked for
    MEMBERSHIP_ENDED = "membership ended"  # has no active enrollment in that course
    CANDIDATE = "candidate"  # explained by what surrounds it, or waiting for proof
    NOTHING = "nothing"


_SILENCE: Mapping[Reading, Silence] = {
    Reading.ENROLLMENTS_API: Silence.REMOVED,
    Reading.NRPS: Silence.MEMBERSHIP_ENDED,
    # It leaves out the deleted and the concluded, and those whose course, section, term or login ended
    # (canvas-lms: gems/plugins/account_reports/lib/account_reports/sis_exporter.rb).
    Reading.PROVISIONING: Silence.CANDIDATE,
    Reading.SIS_EXPORT: Silence.CANDIDATE,
    Reading.LAUNCH: Silence.NOTHING,
    Reading.LIVE_EVENT: Silence.NOTHING,
}


def silence_of(reading: Reading, *, whole: bool, visible: bool, has_sis_ids: bool) -> Silence:
    """What a row's absence proves.

    `visible`: the reading's scope and rights would have shown the row. `has_sis_ids`: its person has one, and its
    course or section; a SIS export cannot name any other row.
    """
    if not (whole and visible):
        return Silence.NOTHING
    if reading is Reading.SIS_EXPORT and not has_sis_ids:
        return Silence.NOTHING
    return _SILENCE[reading]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What stands around an enrollment that a report no longer shows."""

    course: CourseState | None = None
    section: RecordState | None = None
    dates_over: bool = False  # its own dates, else its section's, its course's, its term's
    logins_gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an absent enrollment ended. `state` None: as it is, for what surrounds it already says that it is over."""

    why: str
    state: EnrollmentState | None = None
    removed: bool = False


_ENDINGS: tuple[tuple[Callable[[Surroundings], bool], Ending], ...] = (
    (
        lambda around: around.course is CourseState.DELETED,
        Ending(why="its course was deleted", state=EnrollmentState.DELETED, removed=True),
    ),
    (
        lambda around: around.section is RecordState.DELETED,
        Ending(why="its section was deleted", state=EnrollmentState.DELETED, removed=True),
    ),
    # Concluding a course completes its enrollments at once (canvas-lms: app/models/course.rb): no mass drop.
    (
        lambda around: around.course is CourseState.COMPLETED,
        Ending(why="its course was concluded", state=EnrollmentState.COMPLETED),
    ),
    (lambda around: around.dates_over, Ending(why="its dates are over")),
    (lambda around: around.logins_gone, Ending(why="its person has no login any more")),
)

UNEXPLAINED = (
    "nothing explains it: it may have been deleted, which only a read of its course can prove"
)


def ending_of(around: Surroundings) -> Ending | None:
    """The first explanation that fits; None leaves the row a candidate for removal."""
    return next((ending for fits, ending in _ENDINGS if fits(around)), None)


# Who knows names, logins and addresses best; NRPS and launches see one login of several and what privacy lets through.
_POORER: Mapping[Source, int] = {Source.NRPS: 1, Source.LAUNCH: 2}


def poorer_than(source: Source) -> tuple[Source, ...]:
    """Whose words `source` replaces, however new they are."""
    return tuple(other for other in Source if _rank(other) > _rank(source))


def richer_than(source: Source) -> tuple[Source, ...]:
    """Whose words `source` leaves alone, however old they are."""
    return tuple(other for other in Source if _rank(other) < _rank(source))


def _rank(source: Source) -> int:
    return _POORER.get(source, 0)


@dataclass(frozen=True, kw_only=True)
class Word:
    """Who said a group of fields, and as of when."""

    source: Source
    as_of: datetime


def wins(told: Word, known: Word | None) -> bool:
    """Whether `told` replaces `known`: the richer source, else the newer word; between equals the one that comes last."""
    if known is None:
        return True
    if _rank(told.source) != _rank(known.source):
        return _rank(told.source) < _rank(known.source)
    return told.as_of >= known.as_of


# A report's `invited` stands for two REST states (canvas-lms: sis_exporter.rb), a SIS export's `active` course for two too.
COARSE_ENROLLMENT_STATES: Mapping[EnrollmentState, frozenset[EnrollmentState]] = {
    EnrollmentState.INVITED: frozenset({EnrollmentState.CREATION_PENDING}),
}
# Who spells states so coarsely. The Enrollments API's `invited` is one that was pending until its course was published.
COARSE_SOURCES = (Source.REPORT, Source.SIS_EXPORT, Source.UPLOAD)
UNTOLD_COURSE_STATES = frozenset({CourseState.UNPUBLISHED, CourseState.AVAILABLE})


def enrollment_state_after(
    known: EnrollmentState | None, told: EnrollmentState, source: Source
) -> EnrollmentState:
    """`told`, unless it is the coarser word for what is known."""
    if source not in COARSE_SOURCES:
        return told
    if known is not None and known in COARSE_ENROLLMENT_STATES.get(told, frozenset()):
        return known
    return told


def course_state_after(known: CourseState | None, told: CourseState | None) -> CourseState | None:
    """`told`; None is "neither completed nor deleted", which leaves the finer word that fits."""
    if told is None and known in UNTOLD_COURSE_STATES:
        return known
    return told


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A larger share of a scope's people gone at once waits for a person, but never fewer than `least`."""

    share: float = 0.2
    least: int = 25

    def holds(self, gone: int, of: int) -> bool:
        return gone >= self.least and gone > self.share * of

    def holds_emptied(self, gone: int, of: int) -> bool:
        """The same, and nobody left where there were people: a course that was concluded looks like that."""
        return gone > 0 and (gone == of or self.holds(gone, of))
