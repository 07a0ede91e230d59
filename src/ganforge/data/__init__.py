"""Data loading: files and arrays become an ImageSet, and an ImageSet becomes the batches of training steps."""
