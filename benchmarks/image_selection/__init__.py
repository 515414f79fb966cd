"""The choice of images that active_learning.py measures against chance."""
