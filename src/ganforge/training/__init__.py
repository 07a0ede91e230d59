"""The game is played: the players and their state, one step, one loop."""
