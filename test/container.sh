#!/usr/bin/env bash
# Builds the image of the Dockerfile and tries it, without Docker and without a registry: Debian, as root, with buildah,
# podman, crun and debootstrap. The base image is made here. Takes about two minutes and a gigabyte in a temporary directory.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '  %s\n' "$*"; }
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

work=$(mktemp -d)
namespace=
clean_up() {
  [ -z "$namespace" ] || { inside podman rm -f -v -t 3 -a >/dev/null 2>&1 || true; kill "$namespace" 2>/dev/null || true; }
  podman rmi -a -f >/dev/null 2>&1 || true
  umount "$work"/store/overlay 2>/dev/null || true
  rm -rf --one-file-system "$work" 2>/dev/null || true
}
trap clean_up EXIT

mkdir -p "$work"/store "$work"/run "$work"/networks
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/store"
runroot = "$work/run"
END
cat >"$work/containers.conf" <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "$work/networks"
END
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
export BUILDAH_FORMAT=docker BUILDAH_ISOLATION=chroot

say 'making a base image'
base=$work/base
debootstrap --variant=minbase bookworm "$base" >"$work/log" 2>&1 || { tail "$work/log"; fail 'debootstrap'; }
chroot "$base" useradd --uid 1000 --user-group --create-home node
node=$(npx node -p process.execPath)
install -D "$node" "$base/usr/local/bin/node"
mkdir -p "$base/usr/local/lib/node_modules" "$base/etc/ssl/certs"
cp -r "$(npm root -g)/npm" "$base/usr/local/lib/node_modules/npm"
for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$base/usr/local/bin/$name"; done
cp /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
from=$(sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile | tail -1)
tar -C "$base" -cf - . | podman import -q -c 'CMD ["node"]' \
  -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - "docker.io/library/$from" >/dev/null

say 'building'
buildah bud --network host --pull-never -q -t todo-backend . >"$work/log" 2>&1 || { tail -40 "$work/log"; fail 'build'; }
say "image: $(($(podman image inspect todo-backend --format '{{.Size}}') / 1000000)) MB"
[ "$(podman image inspect todo-backend --format '{{.Config.User}}')" = 1000:1000 ] || fail 'the user is not 1000:1000'
[ "$(podman image inspect todo-backend --format '{{len .Config.Volumes}}')" = 0 ] || fail 'there is a volume without a name'

# A network and mounts of its own, where nothing of this machine is in the way.
unshare -m -n --propagation private sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up; exec sleep 900' &
namespace=$!
sleep 1
inside() { nsenter -m -n -t "$namespace" "$@"; }
run() { inside podman run -d --network host --read-only --tmpfs /tmp --cap-drop all -e BETTER_AUTH_SECRET="$secret" "$@" >/dev/null 2>"$work/log" || { cat "$work/log"; fail "run $*"; }; }
get() { inside curl -sf --retry 60 --retry-all-errors --retry-delay 1 --retry-max-time 90 "$@"; }
code() { inside podman inspect "$1" --format '{{.State.ExitCode}}'; }
stop() { inside podman stop -t 10 "$1" >/dev/null 2>&1; }
secret=$(openssl rand -hex 24)

say 'serving'
run --name api -v data:/data todo-backend
get localhost:8000/ready >/dev/null || fail 'it does not get ready'
token=$(inside podman exec api node packages/http/bin/todo-backend.js token --user alice)
headers=(-H "Authorization: Bearer $token" -H 'Content-Type: application/json')
task='{"title":"Milk","priority":"high","category":"home"}'
get "${headers[@]}" localhost:8000/api/alice/tasks -d "$task" >/dev/null || fail 'no task can be created'
[ "$(inside podman exec api id -u)" = 1000 ] || fail 'it does not run as 1000'
inside podman healthcheck run api || fail 'the health check fails'

say 'stopping: while it serves, and while it starts, as PID 1'
stop api
[ "$(code api)" = 0 ] || fail "SIGTERM: exit code $(code api)"
for moment in 0.3 1 2; do
  inside podman start api >/dev/null 2>&1
  sleep "$moment"
  stop api
  [ "$(code api)" = 0 ] || fail "SIGTERM $moment s after the start: exit code $(code api)"
done
inside podman start api >/dev/null 2>&1
get localhost:8000/ready >/dev/null
get "${headers[@]}" localhost:8000/api/alice/tasks | grep -q Milk || fail 'the task is gone'
stop api

say 'a data directory of somebody else'
mkdir "$work/data"
inside podman run --rm --network host -v "$work/data:/data" -e BETTER_AUTH_SECRET="$secret" todo-backend >"$work/log" 2>&1 && fail 'it starts'
grep -q '^The data directory /data is not writable for the user 1000' "$work/log" || { cat "$work/log"; fail 'no sentence'; }
say 'all is well'
