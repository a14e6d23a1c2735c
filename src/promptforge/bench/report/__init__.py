"""The report of a run: values in, one self-contained page out. It reads no project and sends nothing."""
