"""Normalise: exported lines of any product become alerts of one shape, on Spark."""
