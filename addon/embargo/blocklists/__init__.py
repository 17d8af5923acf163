"""Lists of domains that others keep, in their own formats: text in, what each line says out. Nothing is guessed."""
