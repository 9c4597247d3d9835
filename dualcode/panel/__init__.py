"""The panel: models that judge a fix blind, by anchored levels, and what their scores are worth."""
