"""A process that lets fifty strangers arrive: `python -m tests.gateway.lti.arriving DATABASE_URL`."""

import asyncio
import sys

from gateway.lti.arrivals import Arrived, arrive
from gateway.lti.claims import SignedClaims, launch_from
from gateway.lti.platforms import Tenant
from gateway.store import institutions
from gateway.uow import Database
from tests.gateway.lti.conftest import NOON, school
from tests.gateway.lti.platform import LTI, course_claims


async def main(url: str) -> None:
    async with Database.open(url) as database:
        demo = await institutions.by_slug(database, "demo")
        assert demo is not None
        tenant = Tenant(institution=demo, configured=school())
        for number in range(50):
            changes = {
                "sub": f"sub-{number}",
                f"{LTI}lti11_legacy_user_id": f"legacy-{number}",
                f"{LTI}lti1p1": {},
                f"{LTI}custom": {},
                f"{LTI}lis": {"person_sourcedid": f"S-{number}"},
            }
            claims = SignedClaims(course_claims(NOON, "nonce", **changes))
            launch = launch_from(claims, scope="platform", shard=1, consumer_secrets={})
            arrived = await arrive(database, tenant, launch, context=None, host=None, now=NOON)
            assert isinstance(arrived, Arrived)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
