"""A person as a tool sees them in one context: ids, names, login and standing (fact sheets identity.md §1 and §4, lti-launch.md §4 and §5)."""

from dataclasses import dataclass
from typing import TypeAlias

from twin.changes import lti_ids_in
from twin.lti.roles import Standing
from twin.permissions import account_chain
from twin.records import Account, Course, Enrollment, Pseudonym, User
from twin.school import School

Context: TypeAlias = Course | Account | User  # a User is the context of user navigation

# What a launch counts as being in a course; NRPS counts `active` alone (nrps.md §4).
CURRENT = frozenset({"active", "invited", "creation_pending"})


@dataclass(frozen=True, slots=True)
class LtiIds:
    """What a tool calls the person: the living user's ids, or older ones after a merge."""

    lti_id: str
    lti_context_id: str
    uuid: str


def ids_in(school: School, user: User, context: Context) -> LtiIds:
    """The ids shown in this context: of a person merged into the user where that one was a member."""
    return LtiIds(*lti_ids_in(school, user, type(context).__name__, context.id))


def login_in(school: School, user: User, context: Context) -> Pseudonym | None:
    """The login that a launch shows: one recorded on an enrollment in the course goes first."""
    if isinstance(context, Course):
        for enrollment in enrollments_in(school, user, context):
            login = school.pseudonyms.get(enrollment.sis_pseudonym_id or 0)
            if login and login.sis_user_id and login.workflow_state == "active":
                return login
    return login_of(school, user)


def login_of(school: School, user: User) -> Pseudonym | None:
    """The login that NRPS shows: those with a SIS id first, then by login text, then by position."""
    active = [p for p in school.pseudonyms_of_user.of(user.id) if p.workflow_state == "active"]
    return min(
        active, key=lambda p: (p.sis_user_id is None, p.unique_id.lower(), p.position), default=None
    )


def email_of(school: School, user: User, *, sis_first: bool = False) -> str | None:
    channels = sorted(
        (
            channel
            for channel in school.channels_of_user.of(user.id)
            if channel.path_type == "email" and channel.workflow_state != "retired"
        ),
        key=lambda channel: (channel.position, channel.id),
    )
    if sis_first and (by_sis := sis_email_of(school, user)):
        return by_sis
    return channels[0].path if channels else None


def sis_email_of(school: School, user: User) -> str | None:
    return next(
        (
            channel.path
            for channel in school.channels_of_user.of(user.id)
            if channel.sis_pseudonym_id is not None and channel.workflow_state != "retired"
        ),
        None,
    )


def given_and_family(user: User) -> tuple[str, str]:
    """Canvas's split of the sortable name; without a comma the last of several words is the family."""
    family, comma, given = user.sortable_name.partition(",")
    if comma:
        return given.strip(), family.strip()
    given, _, family = user.sortable_name.strip().rpartition(" ")
    return (given, family) if given else (family, "")


def avatar(user: User, base_url: str) -> str:
    return user.avatar_url or f"{base_url}/images/messages/avatar-50.png"


def locale_of(user: User | None) -> str:
    return (user.locale if user else None) or "en"


def enrollments_in(
    school: School, user: User, course: Course, states: frozenset[str] = CURRENT
) -> list[Enrollment]:
    """The person's enrollments in the course, by id."""
    return sorted(
        (
            enrollment
            for enrollment in school.enrollments_of_user.of(user.id)
            if enrollment.course_id == course.id and enrollment.workflow_state in states
        ),
        key=lambda enrollment: enrollment.id,
    )


def account_of(school: School, context: Context) -> Account:
    if isinstance(context, Account):
        return context
    return school.accounts[context.account_id] if isinstance(context, Course) else school.root


def accounts_above(school: School, context: Context) -> set[int]:
    """The context's account and everything above it."""
    return {account.id for account in account_chain(school, account_of(school, context).id)}


def standing(school: School, user: User | None, context: Context) -> Standing:
    if user is None:
        return Standing(anonymous=True)
    accounts = admin_account_ids(school, user)
    here = enrollments_in(school, user, context) if isinstance(context, Course) else []
    return Standing(
        here=tuple(dict.fromkeys(enrollment.type for enrollment in here)),
        anywhere=frozenset(
            enrollment.type
            for enrollment in school.enrollments_of_user.of(user.id)
            if enrollment.workflow_state == "active"
        ),
        admin_here=bool(accounts & accounts_above(school, context)),
        admin_anywhere=bool(accounts),
    )


def admin_account_ids(school: School, user: User) -> set[int]:
    rows = school.admins_of_user.of(user.id)
    return {admin.account_id for admin in rows if admin.workflow_state == "active"}


def role_names(school: School, user: User, context: Context) -> list[str]:
    """`$Canvas.membership.roles`: built-in types, custom labels, and `Account Admin`."""
    here = enrollments_in(school, user, context) if isinstance(context, Course) else []
    names = [school.roles[enrollment.role_id].name for enrollment in here]
    chain = accounts_above(school, context)
    names += [
        school.roles[admin.role_id].label
        for admin in school.admins_of_user.of(user.id)
        if admin.workflow_state == "active" and admin.account_id in chain
    ]
    return list(dict.fromkeys(names))


def observed_in(school: School, user: User, course: Course) -> list[User]:
    """Whom an observer watches in this course."""
    watched = (
        enrollment.associated_user_id
        for enrollment in enrollments_in(school, user, course)
        if enrollment.type == "ObserverEnrollment" and enrollment.associated_user_id
    )
    return [school.users[user_id] for user_id in dict.fromkeys(watched)]
