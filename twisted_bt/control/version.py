"""
The version that is installed.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("twisted_bt")
except PackageNotFoundError:  # run from a checkout that is not installed
    VERSION = "unknown"
