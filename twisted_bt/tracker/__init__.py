"""PEERS BY ANNOUNCE: asking trackers, and being one."""
