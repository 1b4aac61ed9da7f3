"""Where programs run: in threads of this process, or on the machines of a Dask cluster."""
