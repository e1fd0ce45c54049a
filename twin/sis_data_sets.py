"""Which earlier import an upload of the same data set is compared with (fact sheet sis-imports.md §7)."""

from collections.abc import Sequence

from twin.sis_batch import SisBatch
from twin.sis_diffing import Diff, DiffOptions, diff
from twin.sis_files import Upload

LIMIT = 5  # exceeded so often in a row, the data set fails until a remaster is sent
GOOD = frozenset({"imported", "imported_with_messages"})


def compare(batch: SisBatch, upload: Upload, earlier: Sequence[SisBatch]) -> Diff | None:
    """Diff the upload with the data set's last good import; None where the whole of it counts.

    Batch mode leaves diffing out in silence.
    """
    options = batch.options
    name = options.diffing_data_set_identifier
    if name is None or options.batch_mode:
        return None
    batch.is_base = True
    same = [each for each in reversed(earlier) if each.options.diffing_data_set_identifier == name]
    base = next((each for each in same if each.is_base and each.workflow_state in GOOD), None)
    if base is None or base.upload is None or options.diffing_remaster:
        return None
    result = diff(base.upload, upload, _options(batch))
    batch.data["diffed_against_sis_batch_id"] = base.id
    for file, message in result.warnings:
        batch.warn(file, message)
    if result.exceeded:
        batch.threshold_exceeded, batch.is_base = True, False
        if _exceeded(same) >= LIMIT:
            batch.fail("", "The diffing threshold was exceeded too often: send a remaster")
            result.upload = Upload([], [])
    return result


def _options(batch: SisBatch) -> DiffOptions:
    options = batch.options
    return DiffOptions(
        options.diffing_drop_status or "deleted",
        options.diffing_user_remove_status or "deleted",
        options.change_threshold,
        options.diff_row_count_threshold,
    )


def _exceeded(newest_first: Sequence[SisBatch]) -> int:
    """Count how often in a row, up to now, the threshold was met."""
    exceeded = 0
    for batch in newest_first:
        if not batch.threshold_exceeded:
            break
        exceeded += 1
    return exceeded
