"""HTTP clients on their way to simulated providers; other libraries are carried as `httpx2`."""
