#!/usr/bin/env bash
# Tries what the Dockerfile describes on a machine without a container engine: its RUN steps, taken from the file itself, in a
# Debian root; then the daemon as the image's user on a read-only root with a writable /data. Needs root, debootstrap,
# and the packages' registry. It does not build the image: the base image is stood in for by Debian and the pinned Node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$PWD
image=$(mktemp -d)
chmod 755 "$image" # other users walk through it
port=18429
daemon=
finish() {
  [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
  umount -q "$image/proc" "$image/dev/null" 2>/dev/null || true
  rm -rf --one-file-system "$image"
}
trap finish EXIT
say() { printf '\n=== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

say 'a Debian root, with Node, npm and the user that the base image has'
debootstrap --variant=minbase --include=ca-certificates bookworm "$image" >/dev/null
mkdir -p "$image/usr/local/lib/node_modules" "$image/opt/sluice" "$image/data"
cp node_modules/node/bin/node "$image/usr/local/bin/node"
cp -rL "$(npm root -g)/npm" "$image/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$image/usr/local/bin/npm"
chroot "$image" useradd --uid 1000 --create-home node
cp /etc/resolv.conf "$image/etc/resolv.conf"
cp /etc/hosts "$image/etc/hosts"
for file in "${NODE_EXTRA_CA_CERTS:-}" "$(npm config get cafile 2>/dev/null)" "$(npm config get userconfig 2>/dev/null)"; do
  [ -f "$file" ] && install -D "$file" "$image$file"
done
mount -t proc proc "$image/proc"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$image/opt/sluice"

# One step a line, continuation lines joined; in the order of the file.
mapfile -t steps < <(sed -e ':a' -e '/\\$/N; s/ *\\\n */ /; ta' Dockerfile | sed -n 's/^RUN //p')
[ ${#steps[@]} -eq 2 ] || fail "the Dockerfile has ${#steps[@]} RUN steps, this script knows what 2 of them are"

say "RUN (build stage) ${steps[0]}"
npm_config_registry=$(npm config get registry) chroot "$image" sh -c "cd /opt/sluice && ${steps[0]}"
say "RUN (image) ${steps[1]}"
chroot "$image" sh -c "cd /data && ${steps[1]}"
[ ! -e "$image/opt/sluice/node_modules/typescript" ] || fail 'dev dependencies are left'
[ -e "$image/opt/sluice/.cache/stripped/src/main.ts.js" ] || fail 'the types of the sources are not stripped'
echo "/opt/sluice has $(du -sm "$image/opt/sluice" | cut -f1) MB"

say 'the daemon, as the user node, on a read-only root'
data=$(mktemp -d)
chown 1000:1000 "$data"
# A mount namespace of its own, in which the root is read-only and /data is not.
# shellcheck disable=SC2016
unshare --mount --fork --kill-child sh -c '
  mount --make-rprivate /
  mount --bind "$1" "$1" && mount --bind "$2" "$1/data"
  mount -o remount,bind,ro "$1"
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/node NODE_ENV=production \
    chroot --userspec=1000:1000 "$1" /opt/sluice/bin/sluice -remoteWrite.tmpDataPath=/data \
    -remoteWrite.url=file:/data/samples.jsonl -httpListenAddr=127.0.0.1:'"$port"'
' sh "$image" "$data" &
daemon=$!
for _ in $(seq 100); do
  curl -fsS "http://127.0.0.1:$port/health" >/dev/null 2>&1 && break
  sleep 0.1
done
curl -fsS "http://127.0.0.1:$port/health" || fail 'it does not answer'
echo
node=$(pgrep -f "^node .*-httpListenAddr=127.0.0.1:$port\$|/node .*-httpListenAddr=127.0.0.1:$port\$" | tail -1)
[ "$(stat -c %u "/proc/$node")" = 1000 ] || fail 'it does not run as the user node'
[ "$(tr '\0' '\n' <"/proc/$node/cmdline" | head -1 | xargs basename)" = node ] || fail 'the launcher has not become node'
chroot "/proc/$node/root" touch /opt/sluice/probe 2>/dev/null && fail 'the root can be written'
"$here/node_modules/.bin/node" test/support/push-sample.ts "http://127.0.0.1:$port" container_check
for _ in $(seq 100); do
  grep -qs container_check "$data/samples.jsonl" && break
  sleep 0.1
done
grep -qs container_check "$data/samples.jsonl" || fail 'the pushed sample is not in /data'
echo "RSS: $(awk '/VmRSS/ {print int($2 / 1000)}' "/proc/$node/status") MB"

say 'HEALTHCHECK'
check=$(sed -n '/^HEALTHCHECK/,/CMD/ s/.*CMD \(\[.*\]\)$/\1/p' Dockerfile)
"$here/node_modules/.bin/node" -e '
  const [command, ...args] = JSON.parse(process.argv[1]).map((text) => text.replace("8429", process.argv[2]));
  const { status } = require("node:child_process").spawnSync("chroot", ["--userspec=1000:1000", process.argv[3], command, ...args]);
  process.exit(status);
' "$check" "$port" "$image" || fail 'the health check says no'

say 'SIGTERM'
kill -TERM "$node"
wait "$daemon" && code=0 || code=$?
daemon=
[ "$code" -eq 0 ] || fail "it ended with $code"
rm -rf "$data"
say 'all steps work. The image itself was not built: there is no container engine here.'
