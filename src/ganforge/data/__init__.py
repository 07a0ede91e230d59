"""Images come in: files and arrays become an ImageSet, and an ImageSet becomes the batches a step sees."""
