"""Shipped for users: fakes and contract tests for their own plug-ins."""
