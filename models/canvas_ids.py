"""Canvas ids, local and global: the form in which two of them may be compared.

A local id is unique within one shard (database partition) of Canvas only; the global id is
shard x 10^13 + local id, the constant of the sharding library that Canvas uses. REST spells ids of its own shard locally,
those of other shards globally, and accepts `shard~local` too.
"""

SHARD_SIZE = 10_000_000_000_000


def to_global(spelled: str, shard: int) -> int:
    """The global id that Canvas on `shard` means by `spelled`. ValueError when it is no Canvas id."""
    if "~" in spelled:
        own_shard, _, local = spelled.partition("~")
        return _digits(own_shard) * SHARD_SIZE + _digits(local)
    number = _digits(spelled)
    return number if number >= SHARD_SIZE else shard * SHARD_SIZE + number


def to_rest(global_id: int, shard: int) -> str:
    """As Canvas on `shard` spells it: local for its own people, global for those of another shard."""
    of_shard, local = divmod(global_id, SHARD_SIZE)
    return str(local if of_shard == shard else global_id)


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) == 0 or len(text) > 18:
        raise ValueError(f"{text!r} is not a Canvas id: digits only, as in 2231 or 170000000002231")
    return int(text)
