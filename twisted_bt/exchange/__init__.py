"""WHAT NEXT: pure decisions about what to ask for and whom to serve."""
