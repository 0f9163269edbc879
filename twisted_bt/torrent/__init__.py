"""VALUES: what a torrent is.  No I/O."""
