#!/bin/sh
# Starts a Redis (redis.sh server) or a Sentinel (redis.sh sentinel) of deploy/cluster/docker-compose.yml. Which Redis is the master is
# known to the Sentinels alone. So who starts asks them, also after a crash; redis-1 is the master when none of them runs yet.
set -eu

password=$(cat /run/secrets/redis.password)
export REDISCLI_AUTH="$password"

# Addresses and not names: the name of a container that has stopped does not resolve.
address() { getent hosts "$1" | cut -d ' ' -f 1; }

master=
for sentinel in sentinel-1 sentinel-2 sentinel-3; do
  [ -z "$master" ] || break
  [ "$sentinel" != "$(hostname)" ] || continue
  master=$(timeout 2 redis-cli -h "$sentinel" -p 26379 --raw sentinel get-master-addr-by-name mlsdm 2>/dev/null | head -n 1) || master=
  case "$master" in *[!0-9a-f.:]*) master= ;; esac # an error, in words
done
while [ -z "$master" ]; do
  master=$(address redis-1) || master=
  [ -n "$master" ] || sleep 1
done

umask 077
if [ "$1" = sentinel ]; then
  cat >/tmp/sentinel.conf <<CONF
port 26379
dir /tmp
requirepass $password
sentinel sentinel-pass $password
sentinel monitor mlsdm $master 6379 2
sentinel auth-pass mlsdm $password
sentinel down-after-milliseconds mlsdm 5000
sentinel failover-timeout mlsdm 20000
CONF
  exec redis-server /tmp/sentinel.conf --sentinel
fi

# A cache: nothing in it is worth a disk, and when it is full the least used goes.
set -- redis-server --dir /tmp --save "" --appendonly no --maxmemory "$MAXMEMORY" --maxmemory-policy allkeys-lru \
  --requirepass "$password" --masterauth "$password"
[ "$master" = "$(address "$(hostname)")" ] || set -- "$@" --replicaof "$master" 6379
exec "$@"
