"""The workflows and validators that come with gumpc."""
