#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corr-capture: several points at once, real interfaces in namespaces; what goes wrong is explained.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need python3 dumpcap tcpdump ip ping jq
capture=$SCRIPTS/corr-capture
cd "$T"

title "wrong usage names the value and the remedy"
expect 2 "$capture" -o x.pcapng netns:only
has err '"netns:only" names no interface.*netns:WHO/IF'
expect 2 "$capture" -o x.pcapng a=lo a=lo
has err 'two points are called "a"'
expect 2 "$capture" -o x.pcapng 'a,b=lo'
has err 'the name "a,b"'
expect 2 "$capture" -o x.pcapng --duration -3 lo
has err 'positive number|expected one argument'
expect 2 "$capture" -o x.pcapng -s 0 lo
has err 'between 1 and 262144'
expect 1 "$capture" -o x.pcapng netns:corr-no-such/eth0
has err 'no network namespace "corr-no-such"'
expect 1 "$capture" -o no/such/folder/x.pcapng lo
has err 'folder ".*no/such/folder" .* does not exist'
touch there.pcapng
expect 1 "$capture" -o there.pcapng lo
has err 'exists already: add --force'
[ ! -s there.pcapng ] || fail "the existing file was touched"

title "a command in the place of ssh or docker that is not there"
expect 1 env PATH="$T/none" "$(python3 -c 'import sys; print(sys.executable)')" "$capture" \
    -o x.pcapng docker:web/eth0
has err 'neither docker nor podman'

[ "$(id -u)" -eq 0 ] || skip "the rest captures in network namespaces, which needs root"
a=corrcap$$a b=corrcap$$b
end_namespaces() {
    local name
    for name in "$a" "$b"; do
        ip netns pids "$name" 2>/dev/null | xargs -r kill 2>/dev/null || true
        ip netns delete "$name" 2>/dev/null || true
    done
}
trap 'status=$?; end_namespaces; corr_clean_up; exit "$status"' EXIT
ip netns add "$a" 2>"$T/err" || skip "no network namespaces here: $(cat "$T/err")"
ip netns add "$b"
ip -n "$a" link add va type veth peer name vb netns "$b"
ip -n "$a" address add 10.9.8.1/24 dev va
ip -n "$b" address add 10.9.8.2/24 dev vb
for end in "$a va" "$b vb" "$a lo" "$b lo"; do
    # shellcheck disable=SC2086  # two words
    set -- $end
    ip -n "$1" link set "$2" up
done
ip netns exec "$a" ping -q -c 2 -i 0.2 -W 2 10.9.8.2 >/dev/null || fail "the namespaces do not talk"

frames() { # FILE NAME FILTER-TEXT: frames of that capture point
    python "$@" <<'END'
import sys, pcapng
names, count = [], 0
with open(sys.argv[1], "rb") as stream:
    for event in pcapng.Reader(stream).events():
        if event[0] == "interface":
            names.append(event[1].text(pcapng.IF_NAME))
        elif event[0] == "packet" and names[event[1]] == sys.argv[2]:
            count += 1
print(count)
END
}

title "two points, a filter, a duration, a calibration ping: named and merged"
expect 0 "$capture" left="netns:$a/va" right="netns:$b/vb" -f 'udp port 9' --duration 2 \
    --ping 10.9.8.2 -o two.pcapng
has out '^two\.pcapng$'
left=$(frames two.pcapng left) right=$(frames two.pcapng right)
# Ten requests and their answers within two seconds, at least half of them on a slow machine.
if [ "$left" -lt 10 ] || [ "$left" -ne "$right" ]; then
    fail "$left frames at left, $right at right"
fi
python two.pcapng >"$T/notes" <<'END'
import sys, pcapng
with open(sys.argv[1], "rb") as stream:
    for event in pcapng.Reader(stream).events():
        if event[0] == "section":
            print([v.decode() for c, v in event[1] if c == pcapng.COMMENT])
END
has notes 'capture begun 20[0-9-]+T.*clock of the capturing machine'
[ -z "$(find . -name 'corr-capture-*')" ] || fail "temporary files are left"

title "Ctrl-C ends it, and nothing that was captured is lost"
"$capture" l="netns:$a/va" r="netns:$b/vb" -f icmp -o stop.pcapng >"$T/out" 2>"$T/err" &
running=$!
for _ in $(seq 100); do grep -q 'capturing at' "$T/err" && break; sleep 0.1; done
ip netns exec "$a" ping -q -c 40 -i 0.01 10.9.8.2 >"$T/ping"
kill -INT "$running"
wait "$running" || fail "exit status $? after SIGINT: $(cat "$T/err")"
for point in l r; do
    [ "$(frames stop.pcapng $point)" -eq 80 ] ||
        fail "$(frames stop.pcapng $point) of 80 frames at $point"
done

title "a size limit"
expect 0 timeout 30 "$capture" "l=netns:$a/va" --size 0.02 --ping 10.9.8.2 -o size.pcapng
has err 'have reached 0.02 MB'

title "any: Linux cooked v2, with the interface of each frame"
expect 0 "$capture" "all=netns:$b/any" --duration 1 --ping 10.9.8.2 -o any.pcapng
has out any.pcapng
python any.pcapng >"$T/links" <<'END'
import sys, pcapng
with open(sys.argv[1], "rb") as stream:
    print([e[1].link for e in pcapng.Reader(stream).events() if e[0] == "interface"])
END
has links '\[276\]'

title "a container and another machine: through programs of their names"
mkdir fake
cat >fake/docker <<END
#!/bin/sh
[ "\$4" = web ] || { echo "no such object: \$4" >&2; exit 1; }
cat "$T/container"
END
cat >fake/ssh <<END
#!/bin/sh
# What sshd does: joins the words and gives them to a shell, in another machine's network.
while [ "\$1" != -- ]; do shift; done
[ "\$2" = www ] || { echo "ssh: Could not resolve hostname \$2" >&2; exit 255; }
shift 2
SSH_CONNECTION="10.9.8.77 1234 10.9.8.2 22" exec ip netns exec $b sh -c "\$*"
END
chmod 755 fake/docker fake/ssh
ip netns exec "$a" sleep 60 &
echo $! >"$T/container"
fake() { PATH=$T/fake:$PATH "$capture" "$@"; }
expect 0 fake web=docker:web/va www=ssh:www/vb --duration 2 --ping 10.9.8.2 -o far.pcapng
left=$(frames far.pcapng web) right=$(frames far.pcapng www)
if [ "$left" -lt 10 ] || [ "$right" -lt "$((left - 1))" ]; then
    fail "$left frames at web, $right at www"
fi
python far.pcapng >"$T/notes" <<'END'
import sys, pcapng
with open(sys.argv[1], "rb") as stream:
    for event in pcapng.Reader(stream).events():
        if event[0] == "section":
            print([v.decode() for c, v in event[1] if c == pcapng.COMMENT])
END
has notes 'www: clock [+-][0-9.]+ s against the capturing machine, within [0-9.]+ s'
if pgrep -f "tcpdump -i vb" >/dev/null; then fail "tcpdump on the other machine still runs"; fi
expect 1 fake db=docker:db/va -o y.pcapng
has err 'no running container "db"'
expect 1 fake gone=ssh:gone/eth0 -o y.pcapng
has err 'gone \(ssh:gone/eth0\): .*resolve hostname'

title "each point that cannot be captured is named, with what would help; nothing is left"
expect 1 fake "l=netns:$a/va" "x=netns:$a/nosuch0" y=ssh:www/nosuch1 -o y.pcapng
has err 'x \(netns:.*/nosuch0\): .*; interfaces there: .*va'
has err 'y \(ssh:www/nosuch1\): .*; interfaces there: .*vb'
expect 1 "$capture" "l=netns:$a/va" -f 'udp prot 9' -o y.pcapng
has err 'l \(netns:.*\): .*pcap-filter\(7\)'
expect 1 "$capture" "l=netns:$a/va" --ping no.such.host.invalid -o y.pcapng
has err 'ping of "no\.such\.host\.invalid" from l fails'
[ ! -e y.pcapng ] || fail "a result was written"
[ -z "$(find . -name 'corr-capture-*')" ] || fail "temporary files are left"
finish
