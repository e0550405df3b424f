"""Pictures of the world: on a surface, in a window, as text. The only room that loads pygame."""
