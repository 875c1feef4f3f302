# TLS at the gateways, from Secrets through the chart: by name, with HTTP/2, replaced while it is served.
# shellcheck shell=bash disable=SC2154

new_certificate() { # HOST: of an authority of its own, as a Secret and $work/HOST.crt, which clients trust
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
    -keyout "$work/$1.key" -out "$work/$1.crt" 2>"$work/openssl" || { cat "$work/openssl"; return 1; }
  put "secret tls" "$1" --cert="$work/$1.crt" --key="$work/$1.key" --namespace "$home"
}
ask_tls() { # HOST [CURL-ARG...]: trusts that host's certificate alone
  in_network curl -sS --fail-with-body --max-time 60 --cacert "$work/$1.crt" --resolve "$1:443:$gateway" "${@:2}" "https://$1/?name=Ada"
}
gateways() { # and how often each was restarted
  kubectl -n "$home" get pods -l app.kubernetes.io/component=gateway \
    -o jsonpath='{range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}'
}
no_gateway_but() { not grep -vxFf "$1" <(gateways); } # FILE

tls() {
  local host
  for host in one.example two.example; do new_certificate $host; done
  check "a function with two hosts" make_function hello "$hello, http: {hosts: [one.example, two.example]}"
  check "it is Ready" is_ready hello
  check "Secrets for the gateways" chart upgrade pilotlight "$ROOT/charts/pilotlight" --reuse-values --set 'gateway.tls.secrets={one.example,two.example}'
  for host in one.example two.example; do check "$host is served with its own certificate" says 'Hello, Ada!' ask_tls $host; done
  check "HTTP/2, as ALPN has chosen" says '^2$' ask_tls one.example -o /dev/null -w '%{http_version}'
  check "HTTP/1.1 for who knows no other" says '^1.1$' ask_tls one.example --no-alpn -o /dev/null -w '%{http_version}'
  gateways >"$work/before"
  new_certificate two.example
  check "a changed Secret is served" eventually ask_tls two.example
  check "by the same gateways" no_gateway_but "$work/before"
  check "the other one still is" says 'Hello, Ada!' ask_tls one.example
  check "back to no TLS" chart rollback pilotlight
  check "nobody listens there" refused 'onnect' ask_tls one.example
  kubectl -n "$home" delete secret one.example two.example >/dev/null
}
