"""Whom to talk to: the peers heard of, and the order to dial them."""
