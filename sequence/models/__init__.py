"""What is built of layers: attention, sequence to sequence, language models, forecasters."""
