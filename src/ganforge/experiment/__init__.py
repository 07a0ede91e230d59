"""Recipe, data, folder, game and hooks wired together: what the verbs call."""
