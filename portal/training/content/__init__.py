"""What editors write of courses, read into values that never change, with file, line and advice for every fault."""
