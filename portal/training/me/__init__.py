"""A learner's own page: name, community, consent, devices, a copy of everything, and the way out."""
