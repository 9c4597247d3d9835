"""A duel's figures: data first, then drawn, in the house's style."""
