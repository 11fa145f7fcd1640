"""Attackers who know the job: how much of an attack stays shown when they change what they do."""
