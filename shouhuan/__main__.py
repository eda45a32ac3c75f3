"""``python -m shouhuan`` is the ``shouhuan`` command."""

from shouhuan.cli import main

main()
