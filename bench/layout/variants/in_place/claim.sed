s/runs_live/runs/g
