"""A page on one run or on several: what their folders hold, gathered into sections."""
