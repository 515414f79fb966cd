"""What everything else stands on: files, processes, imports, limits."""
