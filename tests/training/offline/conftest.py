"""The sample course loaded, and phones in learners' hands (as the learners' own tests have them)."""

from tests.training.learners.conftest import learner, phone, sample, school  # noqa: F401
