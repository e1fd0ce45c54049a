"""Keys of a file against keys of the store: what is new, what is the same, what stands there twice, what is missing."""

from collections.abc import Callable

import numpy as np
import polars as pl

from gateway.store import absences
from gateway.store.known import Flags, Known, Numbers, numbers, sorted_known
from gateway.sync.row_hash import Hashes
from gateway.uow import Database
from models.roster import EnrollmentState


class Once:
    """Keys and lines of a whole file, to find what stands there twice. A key of 0 is none."""

    def __init__(self) -> None:
        self._keys: list[Hashes] = []
        self._lines: list[Hashes] = []

    def add(self, keys: Hashes, lines: pl.Series) -> None:
        self._keys.append(keys)
        self._lines.append(lines.to_numpy())

    def repeated(self) -> Hashes:
        """The lines of all rows but the first of each key, sorted. What was added is let go: it is large."""
        if not self._keys:
            return np.empty(0, dtype=np.int64)
        keys, lines = np.concatenate(self._keys), np.concatenate(self._lines)
        self._keys, self._lines = [], []
        if len(keys) < 2 or (keys[1:] > keys[:-1]).all():
            return np.empty(0, dtype=np.int64)
        again = keys != 0
        again[np.unique(keys, return_index=True)[1]] = False
        return np.sort(lines[again])


class Lookup:
    """The store's enrollments by Canvas id, and which of them the file shows.

    Two numbers stand for a row: its Canvas id, and its hash with the lowest bit saying whether a report would show it.
    """

    def __init__(self, stored: Known) -> None:
        self._stored = stored
        self._seen: Flags = np.zeros(len(stored.keys), dtype=np.bool_)
        self._deleting: list[tuple[Numbers, Numbers]] = []  # lines, and places in the store
        self.once = Once()

    @classmethod
    async def of(cls, database: Database, institution_id: int) -> "Lookup":
        shown = f"case when {absences.shown(absences.SHOWN_STATES)} then 1 else 0 end"
        where = f"t.institution_id = {institution_id:d} and t.canvas_id is not null"
        columns = ("t.canvas_id", f"coalesce(t.row_hash, 0) | ({shown})")
        return cls(sorted_known(await numbers(database, columns, f"enrollment t where {where}")))

    def see(self, canvas_ids: pl.Series) -> None:
        """A row that cannot be used was there all the same."""
        places, found = self._stored.find(canvas_ids.fill_null(0).to_numpy())
        self._seen[places[found]] = True

    def different(self, told: pl.DataFrame) -> pl.DataFrame:
        """The rows that the store does not have just so."""
        keys = told["canvas_id"].fill_null(0).to_numpy()
        self.once.add(keys, told["line"])
        places, found = self._stored.find(keys)
        if not found.any():
            return told
        self._seen[places[found]] = True
        stored = self._stored.values[0][places]
        different = ~(found & (stored >> 1 == told["row_hash"].to_numpy() >> 1))
        deleting = told["state"].eq_missing(EnrollmentState.DELETED.value).to_numpy()
        deleting = different & found & deleting & (stored & 1 == 1)
        if deleting.any():
            self._deleting.append((told["line"].to_numpy()[deleting], places[deleting]))
        return told if different.all() else told.filter(pl.Series(different))

    def withheld(self, holds: Callable[[int, int], bool]) -> Numbers:
        """Lines of rows that delete more at once than the shrink guard allows: as if they were not there."""
        gone = sum(len(lines) for lines, _ in self._deleting)
        if not holds(gone, self.shown):
            return np.empty(0, dtype=np.int64)
        for _, places in self._deleting:
            self._seen[places] = False
        return np.sort(np.concatenate([lines for lines, _ in self._deleting]))

    @property
    def shown(self) -> int:
        """How many rows a report of everything would show."""
        return int((self._stored.values[0] & 1).sum())

    def absent(self) -> Numbers:
        """Canvas ids of those that the file does not show."""
        keys: Numbers = self._stored.keys[(self._stored.values[0] & 1 == 1) & ~self._seen]
        return keys
