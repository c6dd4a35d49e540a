"""What `make bench` measures: ours and the peers, each once and in seconds."""
