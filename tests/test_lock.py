from pathlib import Path

import pytest

LOCKS = [Path("requirements.lock"), Path("requirements-dev.lock")]


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_lock_names_versions_and_hashes_and_no_host(lock: Path) -> None:
    text = lock.read_text()

    assert "://" not in text
    assert text.count("==") > 20
    assert text.count("==") <= text.count("--hash=sha256:")


def test_httpx2_stays_out() -> None:
    """Authlib and Starlette would silently switch to it, and pytest-httpx would intercept nothing."""
    for lock in LOCKS:
        assert "httpx2" not in lock.read_text()
