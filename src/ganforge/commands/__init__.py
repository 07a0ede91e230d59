"""The command line: parses, calls, shows. Heavy imports happen inside verbs, so that help is instant."""
