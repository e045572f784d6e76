"""Search over guides, lessons, shelters and communities: one index, asked in the same way on a phone and on the server."""
