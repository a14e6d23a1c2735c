"""The programs that train: how each is found, started and read while it runs, and what it leaves behind."""
