UPDATE bare SET state = 1
 WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM bare b WHERE b.state = 0 ORDER BY b.id LIMIT $1::integer FOR UPDATE SKIP LOCKED))
RETURNING id, payload
