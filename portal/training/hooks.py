"""What follows from how learners stand, in every process that may change it: rooms say so when they are imported."""

from portal.training.certificates import issue

__all__ = ["issue"]
