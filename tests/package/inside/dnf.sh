#!/bin/bash
# dnf.sh: run as root in a booted clean Debian that has a Postgres and no package of dormouse: rpm's scripts with a running systemd.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/repository.sh"
systemctl start postgresql.service
apt install --no-install-recommends libuv1 libpq5 libcurl4 python3 curl dnf rpm >/dev/null
sudo() { "$@"; }
cd /
serve_repository
dnf() { # what it says is in a log; a repository's package is taken, and nothing else is asked
    command dnf --assumeyes "$@" >/root/dnf.log 2>&1 || { sed 's/^/   /' /root/dnf.log; return 1; }
}
mkdir -p /etc/yum.repos.d
printf '%s\n' '[else]' 'name=else' "baseurl=file://$DORMOUSE_BUILD/else" gpgcheck=0 >/etc/yum.repos.d/else.repo
running() { [ "$(status_of "$1")" = running ]; }
main_pid() { property dormouse@default.service MainPID; }
another_worker() { case $(main_pid) in 0 | "$worker") return 1 ;; esac; }

step "what somebody changed is refused"
cp -r "$DORMOUSE_BUILD/rpm" /root/changed
sed -i 's|<revision>.*</revision>|<revision>1</revision>|' /root/changed/repodata/repomd.xml
page_block '[dormouse]' | sed 's|^baseurl=.*|baseurl=file:///root/changed|' >/etc/yum.repos.d/dormouse.repo
# Debian's dnf then goes on without that repository, Fedora's ends at once.
holds "nothing is installed from a repository whose list is not the signed one" not dnf install dormouse
holds "and dnf says why" grep -q "Failed to download metadata for repo 'dormouse'.*Bad GPG signature" /root/dnf.log

step "docs/packages.md: install"
page_block '[dormouse]' >/etc/yum.repos.d/dormouse.repo
sed 's/^/   /' /etc/yum.repos.d/dormouse.repo
holds "dnf install dormouse" dnf install dormouse
holds "it came from there" grep -qE '^From repo +: dormouse$' <(command dnf info --installed dormouse 2>/dev/null)
equal "what rpm --verify finds changed" "$(rpm --verify dormouse)" ""
equal "dormouse.target" "$(property dormouse.target ActiveState)" active
equal "pools enabled by the package" "$(systemctl list-units --all --plain --no-legend 'dormouse@*' 'dormouse-relay@*' | wc -l)" 0
equal "units that failed" "$(systemctl list-units --state=failed --plain --no-legend 'dormouse*')" ""
holds "a pool" dormouse setup --create-database app
equal "the result of a run" "$(dormouse enqueue count '{"hello": "world"}' --wait=60s 2>/dev/null | tail -n 1)" 18

step "python3-dormouse"
holds "dnf install python3-dormouse" dnf install python3-dormouse
version=$(python3 -c 'import sys; print("python3.%d" % sys.version_info[1])')
python() { python3 -c "import site; site.addsitedir('/usr/lib/$version/site-packages'); $1"; } # where Fedora's Python looks by itself, and Debian's does not
equal "where Python finds it" "$(python 'import dormouse; print(dormouse.__file__)')" /usr/lib/python3/site-packages/dormouse/__init__.py
holds "all of it" python 'import importlib.util, dormouse.celery.utils.log; assert importlib.util.find_spec("dormouse.django")'
holds "dnf remove python3-dormouse" dnf remove python3-dormouse
equal "what it left" "$(find /usr/lib/python3 /usr/lib/python3.* -path '*site-packages*')" ""

step "an upgrade while a run is at work"
printf '[task.slow]\ncommand = ["/bin/sleep", "15"]\n' >>/etc/dormouse/default.toml
systemctl restart dormouse@default.service
id=$(enqueue slow)
wait_for 20 running "$id"
worker=$(main_pid)
holds "dnf reinstall dormouse" dnf reinstall dormouse
equal "state of the run when dnf has ended" "$(status_of "$id")" running
wait_for 60 another_worker
wait_for 60 completed "$id"
equal "its attempts" "$(sql "SELECT attempts FROM dormouse.runs WHERE id = '$id'")" 1

step "an upgrade while the pool is asleep, and while the administrator has stopped all"
put_to_sleep
holds "dnf reinstall dormouse" dnf reinstall dormouse
equal "the sleeping worker" "$(property dormouse@default.service ActiveState)" inactive
systemctl stop dormouse.target
holds "dnf reinstall dormouse" dnf reinstall dormouse
equal "the pool" "$(property dormouse@default.target ActiveState)" inactive
systemctl start dormouse.target
wait_for 20 state_is dormouse@default.socket active

step "a removal while a run is at work"
id=$(enqueue slow)
wait_for 20 running "$id"
holds "dnf remove dormouse" dnf remove dormouse
equal "the run" "$(status_of "$id")" completed
equal "units left" "$(systemctl list-units --plain --no-legend 'dormouse*' 'run-dormouse*')" ""
equal "the configuration" "$(ls /etc/dormouse)" default.toml

step "install again: the pool that was enabled comes back"
holds "dnf install dormouse" dnf install dormouse
wait_for 20 state_is dormouse@default.socket active
id=$(enqueue count)
wait_for 20 completed "$id"

step "a removal of a pool that has nothing to do"
put_to_sleep
holds "dnf remove dormouse" dnf remove dormouse
equal "doorbells left" "$(compgen -G '/run/dormouse*')" ""
equal "the configuration" "$(ls /etc/dormouse)" default.toml
step "the end"
