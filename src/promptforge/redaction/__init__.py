"""Texts and projects without what is private: each name, address and MAC replaced by one that nobody has."""
