"""Images in, classes and features out: the frozen judge of digits, and how a judge is trained."""
