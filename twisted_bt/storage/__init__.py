"""BYTES AT REST: pieces in files, and what is known of them between runs."""
