"""`make bench`: how fast dispatch is, each figure beside a bare reference from the same run on the same machine."""
