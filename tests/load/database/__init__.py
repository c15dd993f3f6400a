"""SQLite, with a file for each connection that is open at the same time."""
