"""Makes the demonstration district's roads, shelters, waterlogging points, communities and transfer list: all invented.

`python -m tools.demonstration` writes content/shelters/ again. The same seed gives the same district; nothing is copied from
any map. Boundaries and names of the regions come from content/regions.
"""
