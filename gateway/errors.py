"""What can go wrong, by what the caller can do about it.

RosterError                  anything that we say to a person; its text is the message
├── ConfigurationError       the configuration must be mended before we start
├── UsageError               the command line was used wrongly
├── UnusableFile             a report file cannot be imported; nothing was changed
├── LaunchRefused            a launch is not let in: its page says why, `code` says it to the log
├── EventRefused             a Live Event is not taken: answered with `status`
├── WriteRefused             a mutation cannot be carried out: an entry of `errors` in its payload
│   └── ConnectionWanted     it can, once the person has connected their Canvas account
├── MailNotSent              the mail server took no mail
├── OutboundError            somebody else's server gave no usable answer to a request of ours
│   ├── NotSent              nothing was sent: sending again is safe
│   ├── NotAnswered          it may have arrived: send again only what may arrive twice
│   ├── AnswerUnusable       the answer is too large, too slow or cannot be decoded
│   └── AddressRefused       we do not send there: a private network, or another host than agreed
├── SourceError              a source of rosters gave no usable answer; it says nothing about anybody
│   ├── SourceDown           it could not be reached, or failed: try later, or another source
│   ├── SourceThrottled      it refuses for now because too much was asked: wait
│   ├── SourceRefused        this credential may not: try another source or credential
│   ├── CredentialSpent      the token is expired or revoked: renew it
│   ├── NotThere             it says that this does not exist, or may not be known
│   ├── GrantRefused         what a person once granted is not good, or no longer: they have to grant it anew
│   ├── RequestRefused       it says that the request itself is wrong
│   └── CutShort             the answer began and did not end as it should: throw all of it away
└── PublicError              shown to the caller of the graph, with `code`
    ├── BadRequest           BAD_USER_INPUT: mend the query or its variables
    ├── CursorExpired        CURSOR_EXPIRED: what it points at is not kept any more; read anew
    ├── FollowerBehind       RESUME: a stream that was read too slowly is over; ask anew behind `cursor`
    ├── Ambiguous            AMBIGUOUS: more than one thing has this id; ask by another
    ├── Unauthenticated      UNAUTHENTICATED: send a credential (HTTP 401)
    ├── Forbidden            FORBIDDEN: this credential may not
    ├── ConnectionNeeded     CONNECTION_NEEDED: let the person connect their Canvas account at `connectUrl`
    ├── SourceUnavailable    SOURCE_UNAVAILABLE: Canvas could not be asked; try later
    └── Throttled            THROTTLED: Canvas would be asked too much; try later
"""

from datetime import timedelta
from typing import ClassVar

from models.roster import MutationErrorCode


class RosterError(Exception):
    pass


class ConfigurationError(RosterError):
    pass


class UsageError(RosterError):
    pass


class UnusableFile(RosterError):
    """`place` is file, line and column as far as they are known."""

    def __init__(
        self, message: str, *, file: str, line: int | None = None, column: str | None = None
    ) -> None:
        self.file, self.line, self.column = file, line, column
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}{f', column {column}' if column else ''}: {message}")


class LaunchRefused(RosterError):
    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class EventRefused(RosterError):
    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class WriteRefused(RosterError):
    """`path`: the field of the input that it is about. `retry_after`: when it may go through, where that is known."""

    def __init__(
        self,
        code: MutationErrorCode,
        message: str,
        *path: str,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.retry_after = retry_after


class ConnectionWanted(WriteRefused):
    pass


class MailNotSent(RosterError):
    pass


class OutboundError(RosterError):
    pass


class NotSent(OutboundError):
    pass


class NotAnswered(OutboundError):
    pass


class AnswerUnusable(OutboundError):
    pass


class AddressRefused(OutboundError):
    pass


class SourceError(RosterError):
    pass


class SourceDown(SourceError):
    pass


class SourceThrottled(SourceError):
    """`remaining`: throttle units left in the bucket, where the answer said it."""

    def __init__(self, message: str, *, remaining: float | None = None) -> None:
        super().__init__(message)
        self.remaining = remaining


class SourceRefused(SourceError):
    pass


class CredentialSpent(SourceError):
    pass


class GrantRefused(SourceError):
    pass


class NotThere(SourceError):
    """`merged_into`: the Canvas id, as REST spells it, of the person whom this one was merged into, where that is told."""

    def __init__(self, message: str, *, merged_into: str | None = None) -> None:
        super().__init__(message)
        self.merged_into = merged_into


class RequestRefused(SourceError):
    """`body`: what Canvas answered, for a finer reading of its misleading statuses."""

    def __init__(self, message: str, *, body: object = None) -> None:
        super().__init__(message)
        self.body = body


class CutShort(SourceError):
    pass


class PublicError(RosterError):
    code: ClassVar[str] = "INTERNAL_ERROR"

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code}


class BadRequest(PublicError):
    code = "BAD_USER_INPUT"


class CursorExpired(PublicError):
    code = "CURSOR_EXPIRED"


class FollowerBehind(PublicError):
    code = "RESUME"

    def __init__(self, message: str, *, cursor: str) -> None:
        super().__init__(message)
        self.cursor = cursor

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "cursor": self.cursor}


class Ambiguous(PublicError):
    code = "AMBIGUOUS"


class Unauthenticated(PublicError):
    code = "UNAUTHENTICATED"


class Forbidden(PublicError):
    code = "FORBIDDEN"


class ConnectionNeeded(PublicError):
    code = "CONNECTION_NEEDED"

    def __init__(self, message: str, *, connect_url: str) -> None:
        super().__init__(message)
        self.connect_url = connect_url

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code, "connectUrl": self.connect_url}


class SourceUnavailable(PublicError):
    code = "SOURCE_UNAVAILABLE"


class Throttled(PublicError):
    code = "THROTTLED"
