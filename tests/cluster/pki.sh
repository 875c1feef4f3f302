# Keys, certificates and kubeconfigs of a cluster, into $PKI. Sourced, never run.
# shellcheck shell=bash

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/$1.key"; }

ca() { # NAME
  new_key "$1"
  openssl req -x509 -new -key "$PKI/$1.key" -subj "/CN=$1" -days 3650 -out "$PKI/$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
}

cert() { # NAME CA SUBJECT USAGE [SUBJECT-ALTERNATIVE-NAMES]
  new_key "$1"
  openssl req -new -key "$PKI/$1.key" -subj "$3" |
    openssl x509 -req -CA "$PKI/$2.crt" -CAkey "$PKI/$2.key" -CAcreateserial -days 3650 -out "$PKI/$1.crt" 2>/dev/null \
      -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nbasicConstraints=CA:FALSE\n%s\n' "$4" "${5:+subjectAltName=$5}")
}

service_account_keys() {
  new_key sa
  openssl ec -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub" 2>/dev/null
}

kubeconfig() { # FILE SERVER USER-FIELDS
  (umask 077 && cat >"$1") <<EOT
apiVersion: v1
kind: Config
clusters:
- name: pilotlight
  cluster: {server: "$2", certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")}
users:
- name: user
  user: {$3}
contexts:
- name: pilotlight
  context: {cluster: pilotlight, user: user}
current-context: pilotlight
EOT
}

by_certificate() { # NAME: the user's fields of a kubeconfig
  echo "client-certificate-data: $(base64 -w0 "$PKI/$1.crt"), client-key-data: $(base64 -w0 "$PKI/$1.key")"
}
