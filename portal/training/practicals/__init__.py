"""Practical sessions: what trainers publish, and who has a seat."""
