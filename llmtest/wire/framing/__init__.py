"""How messages are cut out of a stream of bytes, and put into one."""
