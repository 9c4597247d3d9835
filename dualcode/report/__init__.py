"""The report: one HTML file that opens from the disk, without a network."""
