"""What an examination finds: what works, and what does not, with what to change where (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`key`: what it is about, in one word; `mend`: what to do, and where. Empty: it works."""

    key: str
    what: str
    mend: str = ""

    @property
    def works(self) -> bool:
        return not self.mend

    def __str__(self) -> str:
        return (
            f"ok       {self.what}"
            if self.works
            else f"MISSING  {self.what}\n         -> {self.mend}"
        )


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A permission of Canvas's account roles: its name on Canvas's pages, and what the gateway cannot do without it."""

    name: str
    label: str
    needed_for: str


# canvas-lms: app/models/role_override.rb. Labels have changed over the years, keys have not: both are told.
PERMISSIONS: Sequence[Permission] = (
    Permission(
        name="become_user",
        label="Users - act as",
        needed_for="asking Canvas what each person may see, and writing as them",
    ),
    Permission(
        name="read_roster", label="Users - view list", needed_for="reading rosters and people"
    ),
    Permission(
        name="read_course_list", label="Courses - view list", needed_for="listing the courses"
    ),
    Permission(
        name="read_course_content",
        label="Course Content - view",
        needed_for="reading courses and their sections",
    ),
    Permission(name="read_sis", label="SIS Data - read", needed_for="SIS ids"),
    Permission(
        name="read_email_addresses",
        label="Users - view primary email address",
        needed_for="e-mail addresses",
    ),
    Permission(name="view_user_logins", label="Users - view login IDs", needed_for="logins"),
    Permission(name="read_reports", label="Reports - manage", needed_for="the nightly report"),
    Permission(
        name="view_all_grades",
        label="Grades - view all grades",
        needed_for="people whose enrollment has not begun or has ended",
    ),
)

_KINDS = {
    "student": "Students",
    "teacher": "Teachers",
    "ta": "TAs",
    "designer": "Designers",
    "observer": "Observers",
}
WRITING: Sequence[Permission] = (
    *(
        Permission(
            name=f"{verb}_{kind}_{preposition}_course",
            label=f"Users - {label}: {verb}",
            needed_for=f"changes that {verb} {label}",
        )
        for kind, label in _KINDS.items()
        for verb, preposition in (("add", "to"), ("remove", "from"))
    ),
    Permission(
        name="allow_course_admin_actions",
        label="Users - allow administrative actions in courses",
        needed_for="changes that conclude enrollments",
    ),
    Permission(
        name="manage_user_logins",
        label="Users - manage login details",
        needed_for="making new people",
    ),
    Permission(name="manage_sis", label="SIS Data - manage", needed_for="SIS ids of new people"),
    Permission(
        name="import_sis",
        label="SIS Data - import",
        needed_for="carrying changes of many by one file",
    ),
)


def of_permissions(
    told: Mapping[str, object], account: str, wanted: Sequence[Permission]
) -> Iterable[Finding]:
    """From what Canvas says that the token's owner may do in the account."""
    for one in wanted:
        mend = (
            ""
            if told.get(one.name) is True
            else f"{one.needed_for}: in Canvas, Admin > account {account} > Permissions > Account Roles, give the role of the"
            f' token\'s owner "{one.label}" ({one.name})'
        )
        yield Finding(key=one.name, what=f'admin_token: permission "{one.label}"', mend=mend)


def of_scopes(missing: Sequence[str], unknown: Sequence[str] = (), *, key: str) -> Finding:
    """`unknown`: of which Canvas did not say anything."""
    mends = []
    if missing:
        mends.append(
            f"in Canvas, Admin > Developer Keys > Edit > Enforce Scopes, switch on {' '.join(missing)}; tokens made before"
            " have to be made anew"
        )
    if unknown:
        mends.append(f"Canvas could not be asked about {' '.join(unknown)}: try again")
    return Finding(
        key=f"{key} scopes", what=f"{key}: scopes of the developer key", mend="; ".join(mends)
    )
