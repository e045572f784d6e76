"""Shelters and evacuation: where to go, what cuts the way, and the best ways from everywhere.

| folder | what a reader finds there |
|---|---|
| `registry` | the shelters: what is known of each, suitability by hazard, import and export |
| `living` | their state as it changes: reports by staff and desk, opening for a bulletin, the staff's pages |
| `roads` | the walkable graph, its import from OpenStreetMap files, and obstructions |
| `field` | the evacuation field: from every node the best shelter, its time and the next hop; routes; files for phones |
| `communities` | a community's posts, risk points and ten "haves" |
| `public` | what residents read, rendered into the site's files |
| `office` | the desk's pages: dashboard, shelters, opening, obstructions |
| `paper` | A4 documents: evacuation map, one-page plan, household card |
| `transfers` | who needs help to leave, by whom, which way, by when, done or not |
"""
