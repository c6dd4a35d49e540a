"""The example application: an auto-blogging backend. Replace it by your own; README says which names to keep."""
