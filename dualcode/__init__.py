"""dualcode: two local models write better code together; one writes, the other reviews."""

__version__ = "0.1.0"
