"""Repository issues: tasks as folders, worktrees, the jail for commands, and what solves a task."""
