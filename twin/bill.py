"""What a client's requests cost, by endpoint, token and person (fact sheet transport.md §2)."""

import re
from collections import defaultdict
from dataclasses import dataclass

from twin.throttle import Charge

Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Item:
    requests: int = 0
    refused: int = 0
    units: float = 0.0

    def add(self, charge: Charge) -> None:
        self.requests += 1
        self.refused += charge.refused
        self.units += charge.cost


class Bill:
    """Sums by endpoint, token and the person whose rights counted."""

    def __init__(self) -> None:
        self._items: defaultdict[Key, Item] = defaultdict(Item)

    def charge(self, charge: Charge) -> None:
        caller = charge.scope.get("twin.caller")
        endpoint = charge.scope.get("twin.route") or _endpoint(charge)
        person = str(caller.user.id) if caller else ""
        real = str(caller.real_user.id) if caller and caller.masquerading else ""
        self._items[endpoint, charge.client, person, real].add(charge)

    def clear(self) -> None:
        self._items.clear()

    def json(self) -> dict[str, object]:
        total = Item()
        lines: list[dict[str, object]] = []
        for (endpoint, client, person, real), item in self._items.items():
            lines.append(
                {
                    "endpoint": endpoint,
                    "client": client,
                    "user_id": person,
                    "real_user_id": real,
                    **_json(item),
                }
            )
            total.requests += item.requests
            total.refused += item.refused
            total.units += item.units
        return {
            "total": _json(total),
            "by_endpoint": self._by(0),
            "by_token": self._by(1),
            "by_person": self._by(2),
            "lines": lines,
        }

    def _by(self, part: int) -> dict[str, dict[str, object]]:
        sums: defaultdict[str, Item] = defaultdict(Item)
        for key, item in self._items.items():
            held = sums[key[part]]
            held.requests += item.requests
            held.refused += item.refused
            held.units += item.units
        return {name: _json(item) for name, item in sums.items()}


def _endpoint(charge: Charge) -> str:
    """Name what is no API endpoint by its path, the numbers taken out."""
    return f"{charge.scope['method']} {re.sub(r'[0-9]+', '{id}', charge.scope['path'])}"


def _json(item: Item) -> dict[str, object]:
    return {"requests": item.requests, "refused": item.refused, "units": round(item.units, 6)}
