"""Rules that look at a resolved workflow and, when there is one, at the repository around it; one file each."""
