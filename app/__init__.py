"""The example application: an auto-blogging backend. Replace it with your own; `make adopt` does that."""
