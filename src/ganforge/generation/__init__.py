"""Trained networks in use: generator and encoder files, drawing, image grids and animations."""
