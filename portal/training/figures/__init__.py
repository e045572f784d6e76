"""Figures for trainers and the district: how questions do in exams, and where there are responders enough."""
