"""Commands: what a person types and sees."""
