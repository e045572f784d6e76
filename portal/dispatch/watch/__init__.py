"""Watching: what each process says of itself, how the whole stands, and the alarm when nothing moves that should."""
