"""Choices made by timing this machine (precision, parallel runs), and settings of memory and of idle threads."""
