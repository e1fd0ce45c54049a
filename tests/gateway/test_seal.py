"""What is sealed, by which key it opens, and how a lost key is named."""

import pytest

from gateway.errors import ConfigurationError
from gateway.seal import Seal


def test_what_is_sealed_opens_and_cannot_be_read() -> None:
    sealed = Seal(["one"]).close("a private key")

    assert "private" not in sealed
    assert "a private key" == Seal(["one"]).open(sealed)


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    old, both, new = Seal(["old"]), Seal(["new", "old"]), Seal(["new"])

    assert "text" == both.open(old.close("text"))
    assert "text" == new.open(both.close("text"))


def test_a_lost_key_is_said_to_be_lost() -> None:
    with pytest.raises(ConfigurationError, match="former secret_key"):
        Seal(["new"]).open(Seal(["old"]).close("text"))
