"""Pictures of programs, behind `toykit.plots.program`: where nodes go, what they are, how they are drawn."""
