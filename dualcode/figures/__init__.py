"""Figures: data first, then drawn, in one style. matplotlib is imported by the modules that draw."""
