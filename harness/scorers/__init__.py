"""What gives a score: checks, limits, validators and judges. Each sees a finished trace and nothing else."""
