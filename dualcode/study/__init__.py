"""Studies: which pipelines run over which suites, what that will take, and what is made of it."""
