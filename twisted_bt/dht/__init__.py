"""Peers by UDP: the distributed hash table (BEP 5, 32, 33, 42, 43, 45, 51)."""
