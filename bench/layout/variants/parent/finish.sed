s/runs_live/runs/g; s/runs_finished/runs/g
