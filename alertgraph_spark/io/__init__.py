"""The edges: the only modules that touch storage, a tracker, a network or Azure; none of them knows another."""
