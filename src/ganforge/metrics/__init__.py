"""Feature arrays in, numbers out: nothing here knows an image, a file or a device."""
