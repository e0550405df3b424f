"""The course's exercises: what each asks for, what is right, and which mistakes are known."""
