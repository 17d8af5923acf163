"""What `mitmdump -s` loads: names the addon, nothing else."""
