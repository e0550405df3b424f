"""Networks without a memory on the CPU, in compiled code."""
