"""The memories that agents use, behind one interface."""
