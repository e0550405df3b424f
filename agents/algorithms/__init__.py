"""The learners: what they share, a file each, rules as functions of tensors, presets."""
