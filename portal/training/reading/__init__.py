"""The public reading room: courses and lessons as plain pages, without a single question of an exam."""
