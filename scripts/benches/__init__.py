"""What `sidestep bench` measures, a file for each bench."""
