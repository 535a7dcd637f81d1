s/h\.status = 'running' AND h\.fence/h.fence/
