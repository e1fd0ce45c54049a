"""The people of the cast, one of each oddity that a school's people have."""

from datetime import timedelta

from twin import making
from twin.calendar import HalfYear
from twin.records import User
from twin.school import School

PEOPLE: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("admin", "Ada Root", "STAFF-0001", "admin"),
    ("sub_admin", "Sven Underhill", "STAFF-0002", "sunderhill"),
    ("registrar", "Regina Strahl", "STAFF-0003", "rstrahl"),
    ("help_desk", "Hugo Dessen", "STAFF-0004", "hdessen"),
    ("teacher", "Theodora O'Neil", "STAFF/01+7%", "toneil"),
    ("limited_teacher", "Lim Park", "STAFF-0006", "lpark"),
    ("ta", "Tariq Assad", "S-000077", "tassad"),
    ("designer", "Desi Gnade", None, "dgnade"),
    ("grader", "Greta Radek", "S-000078", "gradek"),
    ("student", "Zoë Neil", "000123", "zoneil"),
    ("two_sections", "Bo Li", "123", "boli"),
    ("observer", "Olga Neil", None, "olga.neil@home.example.net"),
    ("loose_observer", "Otto Bern", None, "otto.bern@home.example.net"),
    ("two_logins", "Anne-Marie D'Arcy", "S-000200", "adarcy"),
    ("no_email", "Nemo Silent", "S-000201", "nemo"),
    ("no_sis", "Nosis Guest", None, "guest@elsewhere.example.org"),
    ("no_login", "Lola Orphan", None, None),
    ("comma", "King, Jr., Martin", "S 000,202", "mking"),
    ("unicode", "Søren Łukasiewicz 李 😀", "S-ÅÄÖ-203", "søren"),
    ("twin_one", "Pat Smith", "S-000204", "psmith"),
    ("twin_two", "Pat Smith", "S-000205", "psmith2"),
    ("pronouned", "Robin Fey", "S-000206", "rfey"),
    ("suspended", "Suse Pendt", "S-000207", "spendt"),
    ("auditor", "Audi Torr", "S-000208", "atorr"),
    ("invited", "Ivy Ted", "S-000209", "ited"),
    ("pending", "Penn Ding", "S-000210", "pding"),
    ("inactive", "Ina Ctive", "S-000211", "ictive"),
    ("completed", "Compton Leed", "S-000212", "cleed"),
    ("rejected", "Reje Cted", "S-000213", "rcted"),
    ("dropped", "Delia Ted", "S-000214", "dted"),
    ("survivor", "Mary Newname", "S-000215", "mnewname"),
    ("merged_away", "Mary Oldname", "S-000216", "moldname"),
)
"""Key, name, SIS id, login."""

TOKEN_HOLDERS = (
    "admin",
    "sub_admin",
    "registrar",
    "help_desk",
    "teacher",
    "limited_teacher",
    "ta",
    "student",
    "observer",
    "auditor",
    "suspended",
)


def add_people(school: School, half: HalfYear) -> dict[str, User]:
    """Everybody with a login and an address, but for those whose oddity is to have none."""
    people: dict[str, User] = {}
    at = half.previous.start_at
    for minute, (key, name, sis_id, login) in enumerate(PEOPLE):
        made = at + timedelta(minutes=minute)
        user = making.make_user(school, name, created_at=made, time_zone="America/Denver")
        people[key] = user
        if login:
            making.make_login(
                school,
                user,
                login,
                sis_user_id=sis_id,
                sis_batch_id=1 if sis_id else None,
                created_at=made,
            )
        if key not in {"no_email", "no_login"}:
            address = login if login and "@" in login else f"{login}@school.example.edu"
            making.make_email(school, user, address, created_at=made)
    _make_odd(school, people)
    return people


def _make_odd(school: School, people: dict[str, User]) -> None:
    at = people["two_logins"].created_at
    making.make_login(
        school, people["two_logins"], "darcy.alum", sis_user_id="A-000200", created_at=at
    )
    login = school.pseudonyms_of_user.of(people["teacher"].id)[0]
    school.update(login, integration_id="int:staff/7", updated_at=at)
    school.update(people["comma"], sortable_name="King, Jr., Martin", updated_at=at)
    school.update(people["pronouned"], pronouns="they/them", updated_at=at)
    for login in school.pseudonyms_of_user.of(people["suspended"].id):
        school.update(login, workflow_state="suspended", updated_at=at)
    for channel in school.channels_of_user.of(people["twin_two"].id):
        school.update(channel, path="psmith@school.example.edu", updated_at=at)
    school.update(people["invited"], workflow_state="pre_registered", updated_at=at)
