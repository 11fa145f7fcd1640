"""Publish: results, tracking, posting, report; all that leaves a run."""
