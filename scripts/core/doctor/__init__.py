"""The checks of `make doctor`. They only read: they change nothing, start no server, and import no application here."""
