"""What runs in an old program's place on the lab's hosts: it refuses what that version does not know.

This package is copied to the hosts as it is, whose Python is 3.9 or newer and starts for every call: it needs nothing
but `os` and `sys`, and imports within it are relative.
"""
