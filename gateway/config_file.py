"""A TOML file read into frozen structs: every mistake in it is reported at once, each with its place."""

import hmac
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from gateway.errors import ConfigurationError

Place = tuple[str | int, ...]
Check = Callable[[Any], Any]  # the value as it is kept; a ValueError says what to mend


class Secret:
    """A text that no log and no repr shows; `reveal()` where it is used."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash(self._text)


class CredentialUrl(str):
    """A URL that may carry a password, which its repr hides."""

    __slots__ = ()

    def __repr__(self) -> str:
        password = urlsplit(self).password
        return repr(str(self).replace(f":{password}@", ":…@") if password else str(self))


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the file.

    A field is a `Table`, a `Secret`, a `CredentialUrl`, something that msgspec converts, or a tuple of one of them;
    its checks stand in its annotation.
    """

    def names(self) -> Iterable[tuple[str, Hashable]]:
        """What no other table of the file may be called: what kind of name, and the name."""
        return ()

    def mistakes(self) -> Iterable[tuple[str, str]]:
        """What is wrong between its fields: the field to mend, and how."""
        return ()


T = TypeVar("T", bound=Table)


def read(file: Path, shape: type[T], environment: Mapping[str, str]) -> T:
    """`file` as a `shape`; secrets may stand in `environment` or in files beside it."""
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {_reason(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from error
    reader = _Reader(environment=environment, folder=file.parent)
    value = reader.table(shape, content, ())
    if reader.mistakes:
        raise ConfigurationError(_report(file, text.splitlines(keepends=True), reader.mistakes))
    assert isinstance(value, shape)  # noqa: S101  no mistake, so every field was read
    return value


class _Unread:
    """Stands for a value that has been reported already."""


_UNREAD: Final = _Unread()
_IN_WORDS = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    timedelta: 'an ISO 8601 duration such as "PT15M" or "P400D"',
}


@dataclass
class _Reader:
    environment: Mapping[str, str]
    folder: Path
    mistakes: list[tuple[Place, str]] = field(default_factory=list)
    taken: dict[tuple[str, Hashable], Place] = field(default_factory=dict)

    def table(self, shape: type[Table], raw: object, place: Place) -> Any:
        if not isinstance(raw, dict):
            return self._wrong(place, f"expected a table, got {raw!r}")
        fields = {known.encode_name: known for known in msgspec.structs.fields(shape)}
        for key in raw.keys() - fields.keys():
            self._wrong((*place, key), f"unknown key{_meant(key, fields)}")
        values: dict[str, object] = {}
        for key, known in fields.items():
            if key in raw:
                values[known.name] = self._value(known.type, raw[key], (*place, key))
            elif known.required:
                values[known.name] = self._wrong((*place, key), "is missing")
        read = {name: value for name, value in values.items() if value is not _UNREAD}
        if any(known.required and known.name not in read for known in fields.values()):
            return _UNREAD
        return self._checked(shape(**read), place)

    def _checked(self, table: Table, place: Place) -> Table:
        for key, message in table.mistakes():
            self._wrong((*place, key), message)
        for kind, name in table.names():
            first = self.taken.setdefault((kind, name), place)
            if first != place:
                self._wrong(place, f"{kind} {name!r} is taken by {dotted(first)}")
        return table

    def _value(self, annotation: Any, raw: object, place: Place) -> Any:
        wanted, checks = _taken_apart(annotation)
        value = self._unchecked(wanted, raw, place)
        for check in checks:
            if value is not _UNREAD:
                try:
                    value = check(value)
                except ValueError as error:
                    value = self._wrong(place, str(error))
        return wanted(value) if wanted is CredentialUrl and value is not _UNREAD else value

    def _unchecked(self, wanted: Any, raw: object, place: Place) -> Any:
        if get_origin(wanted) is tuple:
            return self._items(get_args(wanted)[0], raw, place)
        if issubclass(wanted, Table):
            return self.table(wanted, raw, place)
        if issubclass(wanted, Secret | CredentialUrl):
            text = self._secret(raw, place)
            return text if isinstance(text, _Unread) else wanted(text)
        try:
            return msgspec.convert(raw, wanted)
        except msgspec.ValidationError:
            return self._wrong(place, f"expected {_in_words(wanted)}, got {raw!r}")

    def _items(self, wanted: Any, raw: object, place: Place) -> Any:
        if wanted is Secret and not isinstance(raw, list):
            raw = [raw]
        if not isinstance(raw, list):
            return self._wrong(place, "expected a list")
        if wanted is Secret and not raw:
            return self._wrong(place, "needs one secret at least")
        items = [self._value(wanted, item, (*place, index)) for index, item in enumerate(raw)]
        return tuple(item for item in items if item is not _UNREAD)

    def _secret(self, raw: object, place: Place) -> str | _Unread:
        match raw:
            case {"env": str(name), **more} if not more:
                if name not in self.environment:
                    return self._wrong(place, f"the environment variable {name} is not set")
                text = self.environment[name]
            case {"file": str(name), **more} if not more:
                try:
                    text = (self.folder / name).read_text(encoding="utf-8").rstrip("\r\n")
                except (OSError, UnicodeDecodeError) as error:
                    return self._wrong(place, f"{name} cannot be read: {_reason(error)}")
            case str(text):
                pass
            case _:  # what stands there may be a secret: it is not repeated
                return self._wrong(place, 'expected text, { env = "NAME" } or { file = "PATH" }')
        return text or self._wrong(place, "is empty")

    def _wrong(self, place: Place, message: str) -> _Unread:
        self.mistakes.append((place, message))
        return _UNREAD


def dotted(place: Place) -> str:
    """`institution[0].slug`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def _taken_apart(annotation: Any) -> tuple[Any, tuple[Check, ...]]:
    """The type without `Annotated` and `| None`, and the checks that stood there."""
    if get_origin(annotation) is Annotated:
        inner, *checks = get_args(annotation)
        wanted, earlier = _taken_apart(inner)
        return wanted, (*earlier, *checks)
    if get_origin(annotation) in (Union, UnionType):
        [inner] = [part for part in get_args(annotation) if part is not type(None)]
        return _taken_apart(inner)
    return annotation, ()


def _in_words(wanted: type) -> str:
    if issubclass(wanted, StrEnum):
        return "one of " + ", ".join(f'"{member}"' for member in wanted)
    return _IN_WORDS[wanted]


def _meant(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)


def _report(file: Path, lines: list[str], mistakes: list[tuple[Place, str]]) -> str:
    placed = sorted((_line(lines, place), dotted(place), what) for place, what in mistakes)
    return "\n".join(
        f"{file}:{line}: {place}: {what}" if line else f"{file}: {place}: {what}"
        for line, place, what in placed
    )


def _line(lines: list[str], place: Place) -> int:
    """The line where `place`, or else the nearest table around it, begins; 0 when not even that is there.

    tomllib tells no positions, so this looks for the shortest beginning of the file that already holds the place.
    """
    while place:
        end = bisect_left(
            range(len(lines) + 1), 1, key=lambda n: _holds(_parsed(lines, n)[0], place)
        )
        if end <= len(lines):
            return _parsed(lines, end - 1)[1] + 1
        place = place[:-1]
    return 0


def _parsed(lines: list[str], end: int) -> tuple[dict[str, Any], int]:
    """What the first `end` lines say; a statement that they cut in two is left out. With the lines that counted."""
    while True:
        try:
            return tomllib.loads("".join(lines[:end])), end
        except tomllib.TOMLDecodeError:
            end -= 1


def _holds(content: Any, place: Place) -> bool:
    for step in place:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
