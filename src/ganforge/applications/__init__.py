"""Uses of a trained generator or encoder, one file for each task."""
