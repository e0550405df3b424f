"""The window in which agents act, and its pictures, films and replays."""
