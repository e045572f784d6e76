"""Attendance at practical sessions, and what assessors see there."""
