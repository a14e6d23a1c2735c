"""The page of `build --watch --open`: what the build is now, in a browser on this machine, and nowhere else."""
