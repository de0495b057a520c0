"""The clients and frameworks that people use, unchanged, on simulated providers: what each really does."""
