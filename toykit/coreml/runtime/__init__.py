"""Programs, run: a plan of steps, operators, backends, limits; and how far two packages' answers are apart."""
