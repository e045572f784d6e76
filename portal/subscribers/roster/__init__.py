"""Lists of people who consented elsewhere (a school, a company, a community's office), taken in at once.

A list is read row by row into a place of its own, sealed from the first row on; every row that cannot be taken is named. Only
when somebody says yes does all of it become subscribers, in one transaction. What is killed on the way leaves nothing.
"""
