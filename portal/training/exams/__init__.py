"""Exams: drawn by chance, timed by the server's clock, and kept answer by answer."""
