"""A short torture; the long one is run by hand, and docs/reliability.md has what it found."""

import re


def test_runs_that_are_killed_and_stopped_end_as_those_left_in_peace(script, tmp_path):
    few = ["--case", "ema_schedule", "--kills", 2, "--terms", 1, "--depth", 2, "--no-controls"]
    done = script("torture.py", *few, "--folder", tmp_path / "runs")
    logs = "".join(log.read_text() for log in sorted((tmp_path / "runs").glob("*.log")))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{logs}"
    assert done.stderr == ""
    assert re.search(r"\d+ kills, [1-9]\d* inside a save", done.stdout)
    assert "0 steps lost" in done.stdout
    assert "| a resume of a resume | 2 deep |" in done.stdout
