"""Many machines: processes that wake each other through a message broker.

The broker carries nothing but rings: "something of this lane is due". What is due stands in the database, and whoever sends
looks there each second by itself, so that a ring that is lost or comes twice changes nothing, and a broker that is down delays
nobody by more than that second.
"""
