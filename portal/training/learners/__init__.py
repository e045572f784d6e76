"""Learners: in by a code, my courses, lessons, practice, review."""
