"""Untrusted code: the jail, the fork server, and the values that go in and come out."""
