"""Pictures of programs, behind `toykit.plots.program`: where nodes go, what they are, and how they are drawn."""
