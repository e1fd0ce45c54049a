"""The options of a SIS import as they are sent, and what Canvas refuses (fact sheet sis-imports.md §2)."""

from twin import errors, ids
from twin.call import Call
from twin.sis_batch import SisOptions

DROPS = frozenset({"deleted", "completed", "inactive", "deleted_last_completed"})


def read_options(call: Call) -> SisOptions:
    params = call.params
    term_id = _term_id(call)
    # Sent at all, with any value and even without `batch_mode`, this turns batch mode on.
    multi_sent = term_id is None and "multi_term_batch_mode" in params
    batch_mode = params.flag("batch_mode") or multi_sent
    threshold = _number(call, "change_threshold")
    if params.flag("batch_mode") and term_id is None and not multi_sent:
        raise errors.message(
            "Batch mode specified, but the given batch_mode_term_id cannot be found."
        )
    if multi_sent and threshold is None:
        raise errors.message("change_threshold is required to use multi term_batch mode.")
    override = params.flag("override_sis_stickiness")
    rows = _number(call, "diff_row_count_threshold")
    return SisOptions(
        batch_mode=batch_mode,
        batch_mode_term_id=term_id if params.flag("batch_mode") else None,
        multi_term_batch_mode=params.flag("multi_term_batch_mode") if multi_sent else None,
        batch_mode_enrollment_drop_status=_word(call, "batch_mode_enrollment_drop_status", DROPS)
        or "deleted",
        change_threshold=threshold,
        skip_deletes=params.flag("skip_deletes"),
        override_sis_stickiness=override,
        add_sis_stickiness=override and params.flag("add_sis_stickiness"),
        clear_sis_stickiness=override and params.flag("clear_sis_stickiness"),
        update_sis_id_if_login_claimed=params.flag("update_sis_id_if_login_claimed"),
        diffing_data_set_identifier=params.text("diffing_data_set_identifier"),
        diffing_remaster=params.flag("diffing_remaster_data_set"),
        diffing_drop_status=_word(call, "diffing_drop_status", DROPS),
        diffing_user_remove_status=_word(
            call, "diffing_user_remove_status", frozenset({"deleted", "suspended"})
        ),
        diff_row_count_threshold=None if rows is None else int(rows),
    )


def _term_id(call: Call) -> int | None:
    """Only an active term of this account counts."""
    text = call.params.text("batch_mode_term_id")
    term = ids.find_term(call.school, text) if text else None
    return term.id if term and term.workflow_state == "active" else None


def _word(call: Call, name: str, words: frozenset[str]) -> str | None:
    text = call.params.text(name)
    if text and text not in words:
        raise errors.message(f"Invalid {name}")
    return text or None


def _number(call: Call, name: str) -> float | None:
    text = call.params.text(name)
    try:
        return float(text) if text else None
    except ValueError:
        return None
