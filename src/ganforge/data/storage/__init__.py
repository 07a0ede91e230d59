"""Images that stay on disk: memory-mapped arrays, and the cache of decoded pictures."""
