"""Chat models: the seam, the client, scripted ones, and the ledger around them."""
