"""Peers' steps, each a script that runs in the Python that has the peer and knows nothing of us."""
