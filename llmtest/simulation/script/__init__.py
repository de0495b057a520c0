"""What a test wrote: steps, replies, and the requests they are for."""
