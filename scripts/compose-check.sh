#!/usr/bin/env bash
# Starts what docker-compose.yml describes, with the same configuration files, as plain programs: prometheus and node-exporter,
# Sluice, VictoriaMetrics. Shows that node-exporter's metrics arrive in VictoriaMetrics through Sluice. Only the host
# names are others. Grafana is not started; `npm test` checks its files and the names of the metrics in them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
node=node_modules/.bin/node
"$node" scripts/programs.ts
bin=$(dirname "$(find .cache/programs -name prometheus -type f -perm -u+x | head -1)")
work=$(mktemp -d)
pids=()
finish() {
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
start() { # NAME COMMAND...: in the background, output into a file
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 &
  pids+=($!)
}
local_names() { sed -e 's#victoria-metrics:8428#127.0.0.1:28428#g; s#sluice:8429#127.0.0.1:28429#g; s#node-exporter:9100#127.0.0.1:29100#g'; }

local_names <config/prometheus.yml >"$work/prometheus.yml"
# Sluice's own arguments, as the Compose file has them.
mapfile -t arguments < <("$node" -e '
  const { services } = require("yaml").parse(require("node:fs").readFileSync("docker-compose.yml", "utf8"));
  console.log(services.sluice.command.join("\n"));
' | local_names)
start victoria-metrics "$bin/victoria-metrics" -storageDataPath="$work/vm" -retentionPeriod=30d -httpListenAddr=127.0.0.1:28428
start node-exporter "$bin/prometheus-node-exporter" --web.listen-address=127.0.0.1:29100
start sluice bin/sluice -remoteWrite.tmpDataPath="$work/data" -httpListenAddr=127.0.0.1:28429 "${arguments[@]}"
start prometheus "$bin/prometheus" --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
  --web.listen-address=127.0.0.1:29090

query() { curl -fsS --get "http://127.0.0.1:28428/api/v1/query" --data-urlencode "query=$1" | grep -o '"value":\[[^]]*\]' || true; }
for _ in $(seq 60); do
  seen=$(query 'count({job="node"})')
  own=$(query 'sum(sluice_ledger_destination_samples{job="sluice",column="delivered"}) > 0')
  [ -n "$seen" ] && [ -n "$own" ] && break
  sleep 1
done
if [ -z "$seen" ] || [ -z "$own" ]; then
  tail -n 20 "$work"/*.log
  echo "FAILED: node-exporter's or Sluice's metrics are not in VictoriaMetrics"
  exit 1
fi
echo "series of node-exporter in VictoriaMetrics: $seen"
echo "samples that Sluice says it delivered: $own"
curl -fsS http://127.0.0.1:28429/metrics | grep '^sluice_ledger_destination_samples'
echo 'the topology works. Grafana was not started.'
