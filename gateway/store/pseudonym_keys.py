"""The keys of pseudonyms, one a client: made when it is first needed, and the same for ever, sealed."""

import base64
import secrets
from datetime import datetime

from gateway.seal import Seal
from gateway.uow import Database, Transaction


async def of_client(
    database: Database, institution_id: int, client: str, seal: Seal, *, now: datetime, size: int
) -> bytes:
    rows = await database.rows(_SELECT, institution_id, client)
    if not rows:
        made = seal.close(base64.b64encode(secrets.token_bytes(size)).decode())

        async def work(tx: Transaction) -> None:
            await tx.run(
                "insert into pseudonym_key (institution_id, client, sealed, made_at) values ($1, $2, $3, $4)"
                " on conflict (institution_id, client) do nothing",  # another process was quicker
                institution_id,
                client,
                made,
                now,
            )

        await database.transact(work)
        rows = await database.rows(_SELECT, institution_id, client)
    return base64.b64decode(seal.open(rows[0]["sealed"]))


_SELECT = "select sealed from pseudonym_key where institution_id = $1 and client = $2"
