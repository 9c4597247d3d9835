"""Duels: every planner with every implementer on repository issues, solved or not, judged, per dollar."""
