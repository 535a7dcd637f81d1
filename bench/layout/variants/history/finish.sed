s/runs_live/runs/g; s/runs_finished/history/g
s/h\.status = 'running' AND h\.fence/h.fence/
