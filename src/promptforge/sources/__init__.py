"""What a house already knows of itself: dumps of its systems, each read by one module behind one protocol."""
