"""Developer keys: those a twin starts with, and what changing a key does to its tokens (fact sheet oauth2.md §6)."""

from twin.records import DeveloperKey
from twin.school import ROOT_ACCOUNT_ID, SHARD_SIZE, School
from twin.scopes import NRPS

# Local parts of the global ids; with shard 1 they are the client ids of design/running.md.
API_KEY = 1
LTI_KEY = 2
BUILT_IN_KEY = 99


def key_id(school: School, number: int) -> int:
    return school.options.shard * SHARD_SIZE + number


def add_keys(school: School) -> None:
    """Canvas's own key for manual tokens, an API key and the key of the tool to develop."""
    options, now = school.options, school.clock.now()
    tool = options.tool_url
    built_in = DeveloperKey(
        id=key_id(school, BUILT_IN_KEY),
        account_id=ROOT_ACCOUNT_ID,
        name="User-Generated",
        secret="",
        created_at=now,
        updated_at=now,
        allow_includes=True,
        auto_expire_tokens=False,
    )
    api = DeveloperKey(
        id=key_id(school, API_KEY),
        account_id=ROOT_ACCOUNT_ID,
        name="Roster Gateway",
        secret=options.oauth_client_secret,
        created_at=now,
        updated_at=now,
        allow_includes=True,
        redirect_uris=options.oauth_redirect_uris,
    )
    lti = DeveloperKey(
        id=key_id(school, LTI_KEY),
        account_id=ROOT_ACCOUNT_ID,
        name="Roster Gateway",
        secret="",
        created_at=now,
        updated_at=now,
        is_lti=True,
        require_scopes=True,  # a key with a public JWK always is
        scopes=(NRPS,),
        redirect_uris=(f"{tool}/lti/launch",),
        public_jwk_url=f"{tool}/lti/jwks.json",
    )
    for key in (built_in, api, lti):
        school.add(key)


def find_key(school: School, client_id: str | None) -> DeveloperKey | None:
    """The active key of this client id; others are unknown to an OAuth client."""
    key = find_any(school, client_id)
    return key if key and key.workflow_state == "active" else None


def find_any(school: School, client_id: str | None) -> DeveloperKey | None:
    if client_id is None or not client_id.isascii() or not client_id.isdigit():
        return None
    return school.developer_keys.get(int(client_id))


def change_scopes(
    school: School, key: DeveloperKey, *, require_scopes: bool, scopes: tuple[str, ...]
) -> None:
    """Set a key's scopes; a scope that goes, or a key that becomes scoped, ends its tokens."""
    narrower = require_scopes and (not key.require_scopes or bool(set(key.scopes) - set(scopes)))
    school.update(key, require_scopes=require_scopes, scopes=scopes)
    if narrower:
        end_tokens(school, key)


def end_tokens(school: School, key: DeveloperKey, user_id: int | None = None) -> None:
    """End the key's tokens: all, or those of one person."""
    held = school.tokens_of_user.of(user_id) if user_id is not None else school.tokens.values()
    for token in list(held):
        if token.developer_key_id == key.id and token.workflow_state == "active":
            school.update(token, workflow_state="deleted")


def next_number(school: School) -> int:
    """The local part of a new key's id."""
    return max(key % SHARD_SIZE for key in school.developer_keys) + 1
