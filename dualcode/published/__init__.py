"""The paper's and the leaderboard's numbers, as data; none of them was measured here."""
