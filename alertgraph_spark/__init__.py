"""Alerts into attack graphs: read, normalise, fold, link, connect, match, describe, score, log, post."""

__version__ = "0.1.0"
