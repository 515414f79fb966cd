"""An ablation: variants times seeds, run as a queue, compared with intervals."""
