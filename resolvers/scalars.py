"""The graph's scalars: moments as RFC 3339 in UTC, durations as ISO 8601."""

import re
from datetime import UTC, datetime, timedelta
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from models.moments import moment_text

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", flags=re.ASCII
)
_ISO_8601 = re.compile(
    r"P(?=.)((?P<weeks>\d+)W)?((?P<days>\d+)D)?"
    r"(T(?=.)((?P<hours>\d+)H)?((?P<minutes>\d+)M)?((?P<seconds>\d+(\.\d+)?)S)?)?",
    flags=re.ASCII,
)


def moment(value: object) -> datetime:
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # such as the 31st of February: refused below, in the same words
    raise GraphQLError(
        f"{value!r} is no DateTime: write RFC 3339 with an offset, as in 2026-09-01T08:00:00Z."
    )


def duration_text(value: timedelta) -> str:
    days, seconds = value.days, value.seconds
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    time = "".join(
        (
            f"{hours}H" if hours else "",
            f"{minutes}M" if minutes else "",
            f"{seconds}{fraction}S" if seconds or fraction else "",
        )
    )
    date = f"{days}D" if days else ""
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"


def duration(value: object) -> timedelta:
    if isinstance(value, str) and (found := _ISO_8601.fullmatch(value)):
        parts = {unit: float(amount) for unit, amount in found.groupdict().items() if amount}
        try:
            return timedelta(**parts)
        except OverflowError:
            pass  # longer than anything that we could count with: refused below
    raise GraphQLError(
        f"{value!r} is no Duration: write ISO 8601 in weeks, days, hours, minutes and seconds, as in PT5M or P1D."
    )


Upload = NewType("Upload", object)
"""A file that came with the request (`resolvers.uploads`), as Starlette hands it on."""


def _no_text(value: object) -> object:
    raise GraphQLError(f"A file is sent, and is not answered with: {value!r}.")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment, RFC 3339 in UTC: 2026-09-01T08:00:00Z. Other offsets are accepted and turned into UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=moment_text,
        parse_value=moment,
    ),
    timedelta: strawberry.scalar(
        name="Duration",
        description="A length of time, ISO 8601 without years and months: PT5M is five minutes, P1D a day.",
        specified_by_url="https://www.iso.org/iso-8601-date-and-time-format.html",
        serialize=duration_text,
        parse_value=duration,
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description="A file, sent beside the document: null in its variables, and a part of a multipart request.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=_no_text,
        parse_value=lambda value: value,
    ),
}
