"""Groups of learners and how they stand: cohorts, rosters from a school's list, the gradebook, results from elsewhere."""
