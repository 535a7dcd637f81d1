s/^RETURNING r.id, /&/; s/^RETURNING \(.*\)/RETURNING \1/; $s/$/, r.ctid AS tid/
