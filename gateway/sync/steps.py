"""Steps of syncs: what is expected to fail is returned, so that it is kept like a result, and tried again where that may help."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.errors import NotThere, RosterError, SourceDown, SourceRefused, SourceThrottled
from gateway.job_definitions import Steps

_log = logging.getLogger(__name__)

# A nightly run has the night.
_PAUSES = (30.0, 300.0)

Told = Mapping[str, Any]
"""The `value` of a step, or the `problem` in words, whether to try `again`, and whether it was `refused` to us."""


async def tried(steps: Steps, name: str, work: Callable[[], Awaitable[Any]]) -> Told:
    told = await steps.run(name, lambda: _told(work))
    for number, pause in enumerate(_PAUSES, 2):
        if not told.get("again"):
            break
        await steps.sleep(pause)
        told = await steps.run(f"{name}, try {number}", lambda: _told(work))
    return told


async def _told(work: Callable[[], Awaitable[Any]]) -> Told:
    try:
        return {"value": await work()}
    except RosterError as error:
        return {
            "problem": str(error),
            "again": isinstance(error, SourceDown | SourceThrottled),
            "refused": isinstance(error, SourceRefused | NotThere),
        }
    except Exception:  # noqa: BLE001  whatever it was, the run has to end
        _log.exception("a step of a sync failed")
        return {"problem": "it failed on our side; the log says how", "again": False}
