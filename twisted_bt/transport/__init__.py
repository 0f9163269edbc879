"""HOW BYTES TRAVEL: what some transports can do beyond what all must."""
