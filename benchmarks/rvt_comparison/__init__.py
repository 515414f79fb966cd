"""What compare_with_rvt.py compares, a module each."""
