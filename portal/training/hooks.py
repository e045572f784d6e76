"""What follows from how learners stand, in every process that may change it: rooms say so when they are imported. Certificates
come first, for the others look at what was granted."""

from portal.training.certificates import issue
from portal.training.figures import audience

__all__ = ["audience", "issue"]
