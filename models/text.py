"""Text folded for search and for order, the same on every database: SQLite folds ASCII only, PostgreSQL by locale."""

import unicodedata


def fold(text: str) -> str:
    """`text` without case and accents: "Zoë Müller" and "ZOE MULLER" fold to one word."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def search_key(*texts: str | None) -> str:
    """What a search looks into: each text folded, on lines of their own so that no match spans two."""
    return "\n".join(dict.fromkeys(fold(text) for text in texts if text))


def sort_key(*texts: str | None) -> str:
    """What a list is ordered by: the first text there is, folded; compared byte by byte."""
    return fold(next((text for text in texts if text), ""))
