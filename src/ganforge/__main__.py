"""``python -m ganforge``."""

from ganforge.commands.main import main

main()
