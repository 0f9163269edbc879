"""WHO OWNS WHAT: joins all the other packages."""
