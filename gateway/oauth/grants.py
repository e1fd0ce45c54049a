"""A grant of Canvas's: fetched for its code, and kept only where it is of the very person who asked."""

import logging
from collections.abc import Mapping

from gateway.canvas import scopes
from gateway.canvas.oauth2 import Grant, TokenEndpoint
from gateway.errors import Forbidden, GrantRefused, SourceError
from gateway.oauth.connecting import Connecting
from gateway.store import institutions, standing
from gateway.store.oauth_requests import Request
from models.canvas_ids import to_global

_log = logging.getLogger(__name__)


def check_scopes(said: Mapping[str, str]) -> None:
    """Forbidden where Canvas lets nobody connect, for its key lacks what we ask for.

    It says so before it keeps our state, so nobody knows whose request it was (fact sheet oauth2.md §2): names of ours are
    repeated, and nothing else that it says.
    """
    if said.get("error") != "invalid_scope":
        return
    lacking = scopes.refused(said.get("error_description", "")) or ["scopes that we ask for"]
    raise Forbidden(
        f"Canvas lets nobody connect, because the developer key of this tool lacks {', '.join(lacking)}. Show this to your"
        " administrator, who switches them on in Canvas (Admin > Developer Keys > Edit > Enforce Scopes)"
        + (
            ", or sets oauth.writes = false, so that people only read by their own accounts."
            if set(lacking) <= set(scopes.WRITING)
            else "."
        )
    )


async def granted(said: Mapping[str, str], connecting: Connecting, asked: Request) -> Grant:
    """What Canvas's answer is worth; Forbidden, in words for the person, where it is worth nothing."""
    if "error" in said:
        if said["error"] == "access_denied":
            raise Forbidden("You did not agree, so nothing was connected.")
        detail = said.get("error_description") or said["error"]
        raise Forbidden(
            f"Canvas did not let you connect: {detail}. Show this to your administrator."
        )
    endpoint = _endpoint(connecting, asked.institution_id)
    try:
        return await endpoint.exchange(
            said.get("code", ""), connecting.seal.open(asked.verifier_sealed)
        )
    except GrantRefused as error:
        raise Forbidden(f"{error}: connect again.") from error
    except SourceError as error:
        raise Forbidden(f"Canvas could not be asked ({error}): try again later.") from error


async def keep(connecting: Connecting, asked: Request, grant: Grant) -> None:
    """As this person's own; one of somebody else's is given back."""
    upstream = connecting.upstreams[asked.institution_id]
    if upstream.people is None or upstream.application is None:
        raise Forbidden("This school has no developer key any more.")
    wrong = await _wrong_person(connecting, asked, grant)
    if wrong is not None:
        try:
            await _endpoint(connecting, asked.institution_id).revoke(grant.access)
        except SourceError as error:
            _log.warning("an unwanted grant could not be given back: %s", error)
        raise Forbidden(wrong)
    await upstream.people.keep(
        asked.person_id,
        grant,
        client_id=upstream.application.client_id,
        scopes=tuple(asked.scopes.split()),
    )
    await standing.forget(connecting.database, asked.institution_id, asked.person_id)


async def _wrong_person(connecting: Connecting, asked: Request, grant: Grant) -> str | None:
    if grant.acted_for:
        return "Somebody is acting as you in Canvas: an account is connected by its owner alone."
    institution = await institutions.by_id(connecting.database, asked.institution_id)
    known = await standing.of_person(
        connecting.database, asked.institution_id, asked.person_id, launched_in=None
    )
    if known.canvas_id is None:
        return (
            "Your Canvas id is not known here, so nobody can tell that this account is yours. Your administrator can"
            " add the custom fields of /lti/config.json to the tool; then launch it again."
        )
    if institution is None or grant.user is None:
        return "Canvas did not say whose account this is."
    if to_global(grant.user, institution.shard) != known.canvas_id:
        return "In Canvas you are logged in as somebody else than here: log out there, and connect again."
    return None


def _endpoint(connecting: Connecting, institution_id: int) -> TokenEndpoint:
    upstream = connecting.upstreams.get(institution_id)
    if upstream is None or upstream.application is None:
        raise Forbidden("This school has no developer key any more.")
    return TokenEndpoint(connecting.http, upstream.application)
