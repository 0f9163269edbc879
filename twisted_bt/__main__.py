"""C{python -m twisted_bt}: the same as the C{twisted-bt} command."""

from twisted_bt.cli import main

raise SystemExit(main())
