"""promptforge: a context compiler for councils of AI agents over real infrastructure."""

__version__ = "0.1.0"
