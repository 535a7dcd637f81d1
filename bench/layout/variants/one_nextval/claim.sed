s/nextval('dormouse.fence')/(SELECT nextval('dormouse.fence'))/
