"""Tables as data, and their four forms: Markdown, CSV, LaTeX and JSON."""
