"""HOW PEERS TALK: the peer wire protocol.  Only C{protocol} touches a transport."""
