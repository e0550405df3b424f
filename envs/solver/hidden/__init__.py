"""The best that one can do who does not see everything, with a memory and without one."""
