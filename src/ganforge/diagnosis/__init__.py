"""Diagnosis of a run: from its measurement and log to findings in words."""
