UPDATE bare SET state = 2 WHERE id = ANY ($1::bigint[])
