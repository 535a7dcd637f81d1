#!/bin/bash
# The image of packaging/container, built and run by podman: as PID 1, without root, capabilities or a disk that can be written, with the password in the
# environment. Its base is the clean root, as no registry is asked.
source "$(dirname "$0")/lib.sh"
only_in_full
command -v podman >/dev/null && command -v runc >/dev/null || skip "needs podman and runc (Debian packages)"
[ "$(id -u)" = 0 ] || skip "podman is tried as root only"
"$source_dir/tests/package/root.sh" || exit
package_of deb >/dev/null
work=$(mktemp -d)
base=localhost/dormouse-test-base image=localhost/dormouse-test
pods() { podman --runtime runc "$@"; }
limits=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000) # those of whoever runs the tests cannot be raised
bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
as_postgres() { (cd / && runuser -u postgres -- "$@"); }
on_end() {
    local code=$?
    trap - EXIT
    [ "$code" = 0 ] || tail -n 20 "$work"/*.log
    pods rm --force --time 0 dormouse-test-worker dormouse-test-next >/dev/null 2>&1 || true
    pods volume rm --force dormouse-test-state >/dev/null 2>&1 || true
    pods rmi --force "$image" "$base" >/dev/null 2>&1 || true
    as_postgres "$bin/pg_ctl" --pgdata="$work/data" --mode=immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
    exit "$code"
}
trap on_end EXIT

say "--- a Postgres that asks for a password"
chmod 755 "$work"
echo secret >"$work/password"
install -d -o postgres "$work/data"
as_postgres "$bin/initdb" --pgdata="$work/data" --username=postgres --auth=scram-sha-256 --pwfile="$work/password" --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$work/initdb.log"
port=$((20000 + $$ % 10000))
printf '%s\n' "listen_addresses = '127.0.0.1'" "port = $port" "unix_socket_directories = ''" "fsync = off" >>"$work/data/postgresql.conf"
as_postgres "$bin/pg_ctl" --pgdata="$work/data" --wait --log="$work/data/log" start >"$work/start.log"

say "--- the image"
tar -C "$clean_root" --one-file-system -c . | pods import - "$base" >"$work/import.log" 2>&1
pods build --network=host "${limits[@]}" --build-arg "BASE=$base" -f "$source_dir/packaging/container/Containerfile" -t "$image" "$packages" >"$work/build.log" 2>&1
equal "who runs in it" "$(pods image inspect --format '{{.Config.User}}' "$image")" dormouse
# As compose.yaml has it.
service=(--network=host "${limits[@]}" --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp
    --volume dormouse-test-state:/var/lib/dormouse/default --env "DATABASE_URL=postgresql://postgres@127.0.0.1:$port/postgres?sslmode=disable" --env PGPASSWORD=secret
    --volume "$work/default.toml:/etc/dormouse/default.toml:ro")
cp "$source_dir/packaging/container/default.toml" "$work/default.toml"
printf '%s\n' '[task.long]' 'command = ["/bin/sh", "-c", "echo began >&2; sleep 2; id -un"]' '[task.endless]' 'command = ["/bin/sleep", "300"]' >>"$work/default.toml"
chmod 644 "$work/default.toml"
inside() { pods run --rm "${service[@]}" "$image" "$@"; }
worker() { pods run --detach --name "$1" "${service[@]}" "$image" worker default >/dev/null; }
status_of() { inside show "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["status"])'; }
until_is() { for _ in $(seq 100); do [ "$(status_of "$1")" != "$2" ] || return 0; sleep 0.2; done; fail "run $1 is $(status_of "$1"), not $2"; }

say "--- schema, worker, a run"
inside migrate >"$work/migrate.log" 2>&1
worker dormouse-test-worker
equal "a run and its result" "$(inside enqueue count '{"hello": "world"}' --wait=60s 2>/dev/null | tail -n 1)" 18
equal "what PID 1 is" "$(pods exec dormouse-test-worker cat /proc/1/comm)" dormouse
equal "capabilities of PID 1" "$(pods exec dormouse-test-worker sh -c "sed -n 's/^CapEff:[[:space:]]*//p' /proc/1/status")" 0000000000000000
holds "status knows it from another container" grep -q "^default .*awake" <(inside status 2>/dev/null)

say "--- podman stop: what runs may finish"
long=$(inside enqueue long 2>/dev/null)
until_is "$long" running
pods stop --time 45 dormouse-test-worker >/dev/null
equal "its exit code" "$(pods inspect --format '{{.State.ExitCode}}' dormouse-test-worker)" 0
equal "the run" "$(status_of "$long")" completed
equal "who did it" "$(inside show "$long" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["result"])')" dormouse

say "--- a killed container: the next one, which shares the volume, takes its run back at once"
worker dormouse-test-next
long=$(inside enqueue long 2>/dev/null)
until_is "$long" running
pods kill dormouse-test-next >/dev/null
pods rm --force dormouse-test-next >/dev/null
equal "it is running, says the database" "$(status_of "$long")" running
worker dormouse-test-next
until_is "$long" completed
equal "its attempts" "$(inside show "$long" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["attempts"])')" 2
