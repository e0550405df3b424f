"""A text as a language model reads it: what it computes, drawn and gone through in a window."""
