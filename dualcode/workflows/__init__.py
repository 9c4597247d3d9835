"""Workflows: nodes that depend on each other, each done by a role of the team, in Archon's words."""
