/^CREATE TABLE dormouse.runs (/,/^) PARTITION/{
/^    \(run_at\|created_at\|priority\|attempts\|watched\) /d
/^    id /a\
    run_at            timestamptz NOT NULL DEFAULT now(),\
    created_at        timestamptz NOT NULL DEFAULT now(),\
    priority          smallint    NOT NULL DEFAULT 0,\
    attempts          smallint    NOT NULL DEFAULT 0,\
    watched           boolean     NOT NULL DEFAULT false,
}
