"""Rows of users, logins, admins and observers (fact sheet sis-imports.md §5 and §6)."""

from typing import Any

from twin.changes import set_enrollment_state
from twin.making import make_admin, make_email, make_login, make_observation, make_user, sortable
from twin.records import Account, AccountUser, Pseudonym, Role, User, UserObservation
from twin.sis_batch import Importing, RowRejected, status_word
from twin.sis_files import Row
from twin.sis_places import CLEAR

USER_STATUSES = ("active", "suspended", "deleted")
NAMES = ("name", "sortable_name", "short_name")


def user(importing: Importing, row: Row) -> None:
    sis_id = row.get("user_id")
    if not sis_id:
        raise RowRejected("No user_id given for a user")
    login_id = row.get("login_id")
    if not login_id:
        raise RowRejected(f"No login_id given for user {sis_id}")
    status = status_word(row.get("status"), USER_STATUSES)
    if status is None:
        raise RowRejected(f"Improper status for user {sis_id}")
    provider_id = _provider(importing, row, sis_id)
    login = _login_of(importing, sis_id, login_id)
    if status == "deleted" and login and login.user_id == importing.batch.user_id:
        raise RowRejected(f"Can't remove yourself user_id '{sis_id}'")
    if login is None:
        login = _new_person(importing, row, sis_id, login_id)
    _apply_names(importing, row, importing.school.users[login.user_id])
    changes: dict[str, Any] = {
        "unique_id": login_id,
        "workflow_state": status,
        "authentication_provider_id": provider_id,  # blank clears it
    }
    if integration_id := row.get("integration_id"):
        changes["integration_id"] = integration_id
    if kind := row.get("declared_user_type"):
        changes["declared_user_type"] = None if kind == CLEAR else kind
    importing.set(login, ("unique_id", "workflow_state"), **changes)
    _apply_email(importing, row, login)
    importing.touch(login)
    if login.workflow_state == "deleted":
        _end_without_login(importing, login)


def _provider(importing: Importing, row: Row, sis_id: str) -> int | None:
    """Find the provider by its id or its type."""
    text = row.get("authentication_provider_id")
    if text is None:
        return None
    for provider in importing.school.providers.values():
        if text in {str(provider.id), provider.type}:
            return provider.id
    raise RowRejected(f"unrecognized authentication provider {text} for {sis_id}, skipping")


def _login_of(importing: Importing, sis_id: str, login_id: str) -> Pseudonym | None:
    """Find the login by SIS id, else one without any that has the login id."""
    school = importing.school
    known = importing.login("sis_user_id", sis_id)
    claimed = school.find(Pseudonym, "sis_login_id", login_id.lower())
    if claimed is None or claimed is known:
        return known
    if known is None and claimed.sis_user_id is None:
        school.update(claimed, sis_user_id=sis_id)
        return claimed
    if known is None and importing.options.update_sis_id_if_login_claimed:
        school.update(claimed, sis_user_id=sis_id)
        return claimed
    raise RowRejected(
        f"An existing Canvas user with the SIS ID {claimed.sis_user_id or ''} has already claimed "
        f"{sis_id}'s user_id requested login information, skipping"
    )


def _new_person(importing: Importing, row: Row, sis_id: str, login_id: str) -> Pseudonym:
    person = make_user(importing.school, _name(row) or login_id)
    importing.made(person, NAMES)
    return make_login(importing.school, person, login_id, sis_user_id=sis_id)


def _name(row: Row) -> str | None:
    parts = [row.get("first_name"), row.get("last_name")]
    return row.get("full_name") or " ".join(part for part in parts if part) or None


def _apply_names(importing: Importing, row: Row, person: User) -> None:
    changes: dict[str, Any] = {}
    if name := _name(row):
        first, last = row.get("first_name"), row.get("last_name")
        changes["name"] = name
        changes["sortable_name"] = f"{last}, {first}" if first and last else sortable(name)
        changes["short_name"] = name
    for column in ("sortable_name", "short_name"):
        if value := row.get(column):
            changes[column] = value
    if importing.school.options.export_pronouns and (pronouns := row.get("pronouns")):
        changes["pronouns"] = None if pronouns == CLEAR else pronouns
    importing.set(person, (*NAMES, "pronouns"), **changes)


def _apply_email(importing: Importing, row: Row, login: Pseudonym) -> None:
    """The address that came by SIS changes; one that the person has already is not doubled."""
    address = row.get("email")
    school = importing.school
    channels = school.channels_of_user.of(login.user_id)
    if not address or any(
        channel.path.lower() == address.lower() and channel.workflow_state != "retired"
        for channel in channels
    ):
        return
    mine = next((channel for channel in channels if channel.sis_pseudonym_id == login.id), None)
    if mine is not None:
        school.update(mine, path=address, workflow_state="active")
    else:
        make_email(school, school.users[login.user_id], address, sis_pseudonym_id=login.id)


def _end_without_login(importing: Importing, login: Pseudonym) -> None:
    """With the last login all the enrollments go."""
    school = importing.school
    logins = school.pseudonyms_of_user.of(login.user_id)
    if any(other.workflow_state != "deleted" for other in logins):
        return
    for row in list(school.enrollments_of_user.of(login.user_id)):
        if row.workflow_state != "deleted":
            set_enrollment_state(school, row, "deleted")


def login(importing: Importing, row: Row) -> None:
    """One more login for somebody whom `existing_*` names."""
    sis_id, login_id = row.get("user_id"), row.get("login_id")
    if not sis_id or not login_id:
        raise RowRejected(f"No login_id given for user {sis_id or ''}")
    person = _existing(importing, row)
    known = importing.login("sis_user_id", sis_id)
    if known is not None and known.user_id != person.id:
        raise RowRejected(
            f"An existing Canvas user has already claimed {sis_id}'s user_id, skipping"
        )
    made = known or make_login(importing.school, person, login_id, sis_user_id=sis_id)
    changes: dict[str, Any] = {"unique_id": login_id, "workflow_state": "active"}
    if integration_id := row.get("integration_id"):
        changes["integration_id"] = integration_id
    importing.set(made, ("unique_id",), **changes)
    _apply_email(importing, row, made)
    importing.touch(made)


def _existing(importing: Importing, row: Row) -> User:
    school = importing.school
    canvas_id = row.get("existing_canvas_user_id") or ""
    if canvas_id.isdecimal() and (found := school.users.get(int(canvas_id))):
        return found
    by_integration = importing.login("sis_integration_id", row.get("existing_integration_id"))
    known = importing.login("sis_user_id", row.get("existing_user_id")) or by_integration
    if known is None:
        raise RowRejected("Could not find the existing user for a login")
    return school.users[known.user_id]


def admin(importing: Importing, row: Row) -> None:
    school = importing.school
    sis_id = row.get("user_id") or ""
    person = importing.user(sis_id) if sis_id else None
    if person is None:
        raise RowRejected(f"Invalid or unknown user_id '{sis_id}' for admin")
    place = school.root
    if account_id := row.get("account_id"):
        found = school.find(Account, "sis_account_id", account_id)
        if found is None:
            raise RowRejected(f"Invalid account_id given for admin: '{account_id}'")
        place = found
    role = _admin_role(importing, row)
    status = row.get("status")
    if status not in {"active", "deleted"}:
        raise RowRejected(f'Invalid status "{status or ""}" for admin')
    made = next(
        (
            held
            for held in school.admins_of_user.of(person.id)
            if (held.account_id, held.role_id) == (place.id, role.id)
        ),
        None,
    )
    if status == "deleted":
        _end_admin(importing, made, person, sis_id)
        return
    made = made or make_admin(school, person, place, role.id)
    school.update(made, workflow_state="active")
    importing.touch(made)


def _admin_role(importing: Importing, row: Row) -> Role:
    role_id, name = row.get("role_id"), row.get("role")
    for role in importing.school.roles.values():
        named = str(role.id) == role_id if role_id else role.name == name
        if named and role.base_type == "AccountMembership" and role.workflow_state != "deleted":
            return role
    raise RowRejected(f"Invalid role '{role_id or name or ''}' for admin")


def _end_admin(importing: Importing, held: AccountUser | None, person: User, sis_id: str) -> None:
    """Only admins that SIS manages already are taken away, and never the one who imports."""
    if person.id == importing.batch.user_id:
        raise RowRejected(f"Can't remove yourself user_id '{sis_id}'")
    if held is not None and held.sis_batch_id is not None:
        importing.school.update(held, workflow_state="deleted")
        importing.touch(held)


def user_observer(importing: Importing, row: Row) -> None:
    school = importing.school
    ids = {name: row.get(f"{name}_id") or "" for name in ("observer", "student")}
    people: dict[str, User] = {}
    for name, sis_id in ids.items():
        found = importing.user(sis_id) if sis_id else None
        if found is None:
            raise RowRejected(f"An observer referenced a non-existent user {sis_id}")
        people[name] = found
    if people["observer"] is people["student"]:
        raise RowRejected(f"Can't observe yourself user {ids['observer']}")
    status = row.get("status")
    if status not in {"active", "deleted"}:
        raise RowRejected(f'Improper status "{status or ""}" for user_observer')
    link = _link(importing, people["observer"], people["student"])
    if status == "deleted":
        if link is None or link.workflow_state == "deleted":
            raise RowRejected(
                f"Can't delete a non-existent observer for observer: {ids['observer']}, "
                f"student: {ids['student']}"
            )
    elif link is None:
        link = make_observation(school, people["observer"], people["student"])
    school.update(link, workflow_state=status)
    importing.touch(link)


def _link(importing: Importing, observer: User, student: User) -> UserObservation | None:
    for link in importing.school.observations_by_observer.of(observer.id):
        if link.student_id == student.id:
            return link
    return None
