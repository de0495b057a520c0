"""What was decided about one request, and how it is written, carried out, billed and kept."""
