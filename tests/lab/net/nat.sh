# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The five-point network of the sample and of nat-drops.sh, its servers, its traffic, its truth.
#
#   client 192.168.1.10 == bridge == lan 192.168.1.1 [router] 203.0.113.7 wan == server 203.0.113.1
#                                                                             (also 198.51.100.5)
# Capture points are named after their interfaces: client, bridge (the port towards the client),
# lan, wan, server. The router masquerades with random ports and forwards its port 8080 to the
# client. Its forward chain lies between lan and wan, so what is dropped there was seen at one of
# the two and not at the other.
NAT_POINTS=(client bridge lan wan server)
NAT_WEB=198.51.100.5
NAT_RULES=()

nat_require() { lab_require nginx dnsmasq dig curl ping conntrack openssl; }

# nat_build [real]: all namespaces and wires; real: without any offload.
nat_build() {
    lab_ns client bridge router server
    lab_wire client client bridge bridge
    lab_wire bridge uplink router lan
    lab_wire router wan server server
    lab_ip bridge link add br0 type bridge
    lab_ip bridge link set dev bridge master br0
    lab_ip bridge link set dev uplink master br0
    lab_ip bridge link set dev br0 up
    lab_ip client addr add 192.168.1.10/24 dev client
    lab_ip client route add default via 192.168.1.1
    lab_ip router addr add 192.168.1.1/24 dev lan
    lab_ip router addr add 203.0.113.7/24 dev wan
    lab_ip router route add default via 203.0.113.1
    lab_ip server addr add 203.0.113.1/24 dev server
    lab_ip server addr add "$NAT_WEB/32" dev lo
    lab_in router sysctl -q -w net.ipv4.ip_forward=1
    if [ "${1-}" = real ]; then
        lab_real_wire client client
        lab_real_wire bridge bridge
        lab_real_wire bridge uplink
        lab_real_wire router lan
        lab_real_wire router wan
        lab_real_wire server server
    fi
    lab_in router nft -f - <<'NFT'
table ip nat {
    chain pre {
        type nat hook prerouting priority dstnat;
        iifname "wan" tcp dport 8080 dnat to 192.168.1.10
    }
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "wan" masquerade fully-random
    }
}
NFT
}

# nat_drops RULE...: loss in the forward chain; every rule "NAME|DIRECTION|MATCH|STATEMENT" has a
# counter of its name. DIRECTION is up (lan > wan) or down. STATEMENT is drop, or reject ...
nat_drops() {
    local rule name direction match statement from
    NAT_RULES=("$@")
    {
        printf 'table ip loss {\n'
        for rule; do
            printf '    counter %s { }\n' "${rule%%|*}"
        done
        printf '    chain pass {\n        type filter hook forward priority filter;\n'
        for rule; do
            IFS='|' read -r name direction match statement <<<"$rule"
            from=lan
            [ "$direction" = up ] || from=wan
            printf '        iifname "%s" %s counter name %s %s\n' "$from" "$match" "$name" \
                "$statement"
        done
        printf '    }\n}\n'
    } >"$LAB_TMP/loss.nft"
    lab_in router nft -f "$LAB_TMP/loss.nft"
}

# nat_web NS PORT [DIRECTIVES]: an nginx with everything below LAB_TMP/NS.
nat_web() {
    local root=$LAB_TMP/$1
    mkdir -p "$root/www" "$root/tmp"
    cat >"$root/nginx.conf" <<NGINX
user root;
daemon off;
worker_processes 1;
pid $root/nginx.pid;
error_log $root/error.log;
events { }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path $root/tmp/body;
    proxy_temp_path $root/tmp/proxy;
    fastcgi_temp_path $root/tmp/fastcgi;
    uwsgi_temp_path $root/tmp/uwsgi;
    scgi_temp_path $root/tmp/scgi;
    server {
        listen $2;
        ${3-}
        root $root/www;
        client_max_body_size 0;
        location /slow/ { proxy_pass http://127.0.0.1:9000; }
        location /up/ { dav_methods PUT; create_full_put_path on; }
    }
}
NGINX
    lab_daemon "$1" nginx -c "$root/nginx.conf" -p "$root" -e "$root/error.log"
}

# nat_text BYTES WORD: lines that never repeat, for equal payloads would make equal packets.
nat_text() { seq -f "line %09.0f of the $2" "$(($1 / 32))"; }

# TLS records fit a segment: a client can read none before it is whole, which would be later than
# the first byte of the answer.
# nat_servers DOWNLOAD_BYTES: web (80, 443) and names on the server, web (8080) on the client.
nat_servers() {
    local files=$LAB_TMP/server
    mkdir -p "$files/www" "$LAB_TMP/client/www"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj /CN=web.test -keyout "$files/key.pem" -out "$files/cert.pem" 2>/dev/null
    printf 'It works.\n' >"$files/www/index.html"
    printf 'Behind the router.\n' >"$LAB_TMP/client/www/index.html"
    nat_text "$1" "download" >"$files/www/bulk"
    printf 'nameserver %s\noptions timeout:1 attempts:3\n' "$NAT_WEB" >"$LAB_TMP/resolv.conf"
    nat_web server 80 "listen 443 ssl; ssl_certificate $files/cert.pem;
        ssl_certificate_key $files/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:lab:1m;
        ssl_buffer_size 1300;"
    nat_web client 8080
    lab_daemon server dnsmasq -k --conf-file=/dev/null --no-resolv --no-hosts --user=root \
        --pid-file= --bind-interfaces --listen-address="$NAT_WEB" --address="/test/$NAT_WEB"
    lab_await 5 lab_in server curl -sf -o /dev/null "http://$NAT_WEB/" ||
        corr_die "no web server: $(cat "$LAB_TMP/server.log")"
    lab_await 5 lab_in client curl -sf -o /dev/null http://192.168.1.10:8080/ ||
        corr_die "no web server on the client: $(cat "$LAB_TMP/client.log")"
    lab_await 5 lab_in server dig +short +tries=1 +time=1 @"$NAT_WEB" web.test ||
        corr_die "no name server: $(cat "$LAB_TMP/server.log")"
}

# nat_watch: keeps every new translation as it happens, for some expire before the end.
nat_watch() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    lab_daemon router sh -c 'exec conntrack -E -e NEW -o timestamp >"$0"' "$LAB_TMP/conntrack.new"
    # Its socket is open when it shows a translation. What is older than the captures is no truth.
    lab_await 5 nat_watch_probe || corr_die "conntrack shows nothing"
    lab_in router conntrack -F 2>/dev/null
}

nat_watch_probe() {
    lab_in client ping -c 1 -W 1 203.0.113.1 >/dev/null
    [ -s "$LAB_TMP/conntrack.new" ]
}

# nat_capture POINT...
nat_capture() {
    local point
    for point; do
        case $point in
        lan | wan) lab_capture "$point" router "$point" ;;
        *) lab_capture "$point" "$point" "$point" ;;
        esac
    done
}

# nat_capture_all: all five, and the moment from which translations count.
nat_capture_all() {
    nat_capture "${NAT_POINTS[@]}"
    sleep 0.1
    NAT_SINCE=$(date +%s.%N)
}

# nat_client COMMAND...: on the client, with the lab's name server.
nat_client() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    lab_in client sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' \
        "$LAB_TMP/resolv.conf" "$@"
}

# Traffic. Where packets are dropped, failures are part of it.
go_get() { nat_client curl -sk --connect-timeout 4 --max-time 12 "$@" >/dev/null || true; }
go_names() {
    local name
    for name; do
        nat_client dig +short +tries=3 +time=1 @"$NAT_WEB" "$name.test" >/dev/null || true
    done
}
go_ping() { nat_client ping -q -i 0.02 -W 1 "$@" >/dev/null || true; }
go_back() { lab_in server curl -s -o /dev/null --max-time 5 http://203.0.113.7:8080/ || true; }
go_up() {
    nat_text "$1" "upload .." >"$LAB_TMP/upload"
    go_get -T "$LAB_TMP/upload" "http://web.test/up/file"
}
# The router answers a probe that expires there.
go_expire() { nat_client ping -q -c "$1" -i 0.2 -W 1 -t 1 "$NAT_WEB" >/dev/null || true; }
# Nobody listens: a reset, and a port unreachable.
go_closed() {
    go_get http://web.test:81/
    nat_client dig +short +tries=1 +time=1 -p 54 @"$NAT_WEB" closed.test >/dev/null || true
}

# nat_truth OUT CAPTURE: what the kernel counted and translated.
nat_truth() {
    lab_in router nft -j list counters >"$LAB_TMP/counters.json"
    python3 "$LAB_DIR/truth.py" --counters "$LAB_TMP/counters.json" --since "$NAT_SINCE" \
        --conntrack "$LAB_TMP/conntrack.new" --order "$(IFS=,; echo "${NAT_POINTS[*]}")" \
        --between lan,wan --own 192.168.1.1,203.0.113.7 --forward 8080 \
        "$2" "${NAT_RULES[@]}" >"$1" || corr_die "the truth contradicts itself"
}
