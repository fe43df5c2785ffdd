"""The page that `ClassificationReport` writes: what it says, and in which order."""

from collections.abc import Collection, Mapping, Sequence

from kerasgan.callbacks.csv_logger import LEADING
from kerasgan.callbacks.logs import reading_order
from kerasgan.metrics import Assessment
from kerasgan.metrics.tables import escape, table

PICTURES = "report"  # The directory beside the page.
_CAPTIONS = {
    "data": ("Data", "Examples of every class"),
    "curves": ("Training", "Loss and metrics by epoch"),
    "confusion": ("Confusion matrix", "Examples by true and predicted class"),
    "mistakes": ("Worst mistakes", "The wrong predictions made with the greatest confidence"),
}


def page(
    name: str,
    split: str,
    assessment: Assessment,
    rows: Sequence[Mapping[str, float]],
    steps: int | None,
    summary: str,
    pictures: Collection[str],
) -> str:
    """Write a classification report in Markdown; its links are relative, so that a run may be moved.

    Args:
        name: Of the data.
        split: What was judged on.
        assessment: The result.
        rows: One an epoch, with `epoch` from one; empty if nothing is known of the training.
        steps: Training steps taken, or None.
        summary: The data in words, in lines.
        pictures: Which of `data`, `curves`, `confusion` and `mistakes` lie in the directory of `PICTURES`.

    Returns:
        The page, with a newline at its end.
    """
    shown = {}
    for picture, (title, alternative) in _CAPTIONS.items():
        if picture in pictures:
            shown[picture] = f"## {title}\n\n![{alternative}]({PICTURES}/{picture}.png)"
    if "data" in shown:
        # Indented, where a fence could be ended by the name of a class.
        quoted = "\n".join(f"    {line}".rstrip() for line in summary.splitlines())
        shown["data"] = shown["data"].replace("\n\n", f"\n\n{quoted}\n\n", 1)
    parts = [
        f"# {escape(name)}: classification report",
        _headline(split, assessment, rows, steps),
        *(shown[picture] for picture in ("data", "curves") if picture in shown),
        f"## Classes\n\n{assessment.as_markdown()}",
        *(shown[picture] for picture in ("confusion", "mistakes") if picture in shown),
    ]
    return "\n\n".join(parts) + "\n"


def _headline(split: str, assessment: Assessment, rows: Sequence[Mapping[str, float]], steps: int | None) -> str:
    facts = {
        "judged on": f"{split} split",
        "images": f"{assessment.count:,}",
        "wrong": f"{len(assessment.mistakes):,}",
        "accuracy": f"{assessment.accuracy:.4f}",
        "macro precision": f"{assessment.macro_precision:.4f}",
        "macro recall": f"{assessment.macro_recall:.4f}",
        "macro F1": f"{assessment.macro_f1:.4f}",
    }
    if rows:
        facts["epochs"] = f"{int(rows[-1]['epoch']):,}"
    if steps is not None:
        facts["steps"] = f"{steps:,}"
    # A validation that is not made every epoch has its last value further up.
    final = {metric: value for row in rows for metric, value in row.items() if metric not in LEADING}
    facts |= {f"final {escape(metric)}": f"{final[metric]:#.4g}" for metric in reading_order(final)}
    return table(["result", "value"], [list(fact) for fact in facts.items()])
