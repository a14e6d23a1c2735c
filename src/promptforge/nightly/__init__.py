"""The night: build, rows, training, measurement, verdict, in one go, with a journal. Rehearsed before it is trusted."""
