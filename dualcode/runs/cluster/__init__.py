"""Tasks done at the nodes of a cluster, whose driver alone asks models and writes records."""
