"""What a view can show beside the board, a file for each panel."""
