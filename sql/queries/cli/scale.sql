-- Has the workers of pool $1 execute $2 runs at once for $3 seconds (both null: as configured), because of $4.
SELECT changed, told, refused FROM dormouse.scale($1::text, $2::int, $3::float8 * interval '1 s', $4::text)
