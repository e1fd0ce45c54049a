"""Custom fields with their substitution variables replaced (fact sheet lti-launch.md §5)."""

import re
from collections.abc import Mapping
from datetime import datetime

from twin.lti.scene import LITERAL, Literal, Plain, Scene, Value
from twin.lti.variables import PERSON_VARIABLES, ROSTER_VARIABLES, VARIABLES


def expand(scene: Scene, fields: Mapping[str, str], *, v13: bool) -> dict[str, str | bool | None]:
    """Custom fields with their variables replaced, in the spelling of LTI 1.3 or 1.1."""
    return {name: _expanded(scene, text, v13=v13) for name, text in fields.items()}


def expand_one(scene: Scene, name: str) -> str | None:
    """One variable's value as text; None where it has no value, its own text where it is unknown."""
    value = _value(scene, name)
    if isinstance(value, Literal):
        return f"${name}"
    return None if value is None else _text(value, v13=True)


def _expanded(scene: Scene, text: str, *, v13: bool) -> str | bool | None:
    if not text.startswith("$") or text.startswith("${"):
        return re.sub(r"\$\{([^}]+)\}", lambda found: _inside(scene, found, v13=v13), text)
    value = _value(scene, text[1:])
    if isinstance(value, Literal):
        return text
    if value is None:
        return None if v13 and scene.school.options.lti_empty_as_null else ""
    if isinstance(value, bool) and v13:
        return value
    return _text(value, v13=v13)


def _inside(scene: Scene, found: re.Match[str], *, v13: bool) -> str:
    value = _value(scene, found[1])
    if isinstance(value, Literal):
        return found[0]
    return "" if value is None else _text(value, v13=v13)


def _value(scene: Scene, name: str) -> Value:
    expander = VARIABLES.get(name)
    if expander is None or (scene.in_roster and name not in _in_roster(scene)):
        return LITERAL
    return expander(scene)


def _in_roster(scene: Scene) -> frozenset[str]:
    courses = scene.school.options.nrps_course_variables
    return ROSTER_VARIABLES if courses else PERSON_VARIABLES


def _text(value: Plain, *, v13: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ" if v13 else "%Y-%m-%d %H:%M:%S +0000")
    return str(value)
