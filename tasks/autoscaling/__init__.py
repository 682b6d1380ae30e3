"""A scaling group of Heat: what it is made of, what is observed while it scales, and what that means.

`group` reads the group, its policies, alarms and members, and puts CPU load on these; `watching` observes it while it scales;
`timeline` is what was observed, as data; `judging` finds what is wrong with a timeline, and gives the verdict.
"""
