"""The example application: an auto-blogging backend. Replace it with your own; README lists the names to keep."""
