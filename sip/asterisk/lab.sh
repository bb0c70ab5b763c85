#!/usr/bin/env bash
# lab.sh start|run|await|stop|status RUN_DIR [BASE_PORT]
# lab.sh cli RUN_DIR COMMAND...
#
# One private Asterisk on 127.0.0.1, all of it in RUN_DIR: SIP over UDP and TCP at BASE_PORT
# (15060), over TLS at BASE_PORT + 1, RTP in the 800 ports from BASE_PORT + 100.
#   start   returns when it answers, and prints how to use it; safe to repeat
#   run     the same in the foreground, without a word; it ends with the process that called it
#   await   returns when the one that is starting answers
#   stop    ends the instance of RUN_DIR and no other
#   cli     passes a command to Asterisk's console: lab.sh cli .lab pjsip set logger on
# DIALER_LAB_PJSIP names a pjsip.conf to use in place of etc/pjsip.conf, with the same blanks.
set -euo pipefail

usage="usage: lab.sh start|run|await|stop|status RUN_DIR [BASE_PORT], or lab.sh cli RUN_DIR COMMAND..."
action=${1:?$usage}
run=$(realpath -m "${2:?$usage}")
base=${3:-15060}
here=$(cd "$(dirname "$0")" && pwd)
pidfile=$run/run/asterisk.pid
pjsip=${DIALER_LAB_PJSIP:-$here/etc/pjsip.conf}

fail() { echo "lab: $*" >&2; exit 1; }
alive() { [ -s "$pidfile" ] && kill -0 "$(<"$pidfile")" 2>/dev/null; }
running() { # and no other process that got its number since
  alive && grep -qF "$run/etc/asterisk.conf" "/proc/$(<"$pidfile")/cmdline"
}
asterisk() { "$run/asterisk" -C "$run/etc/asterisk.conf" "$@"; }

prepare() {
  local program root modules sounds file
  [[ $base =~ ^[0-9]+$ ]] && [ "$base" -ge 1024 ] && [ "$base" -le 64000 ] ||
    fail "the base port is a number from 1024 to 64000, not $base"
  [ ${#run} -le 85 ] || fail "the path $run is too long for a unix socket in it; choose one of at most 85 characters"
  program=$("$here/../fetch.sh" asterisk)
  root=$(dirname "$(dirname "$program")")
  root=${root%/usr} # the machine's own is /usr/sbin/asterisk, the private one TREE/bin/asterisk
  modules=$(find "$root"/usr/lib -maxdepth 3 -path '*/asterisk/modules' -print -quit)
  [ -n "$modules" ] || fail "no modules of $program below $root/usr/lib"
  mkdir -p "$run"/{etc,state,data,spool,run,log}
  echo "$base" >"$run/base"
  ln -sfn "$program" "$run/asterisk"
  for file in "$here"/etc/*.conf "$pjsip"; do
    sed -e "s#@RUN@#$run#g; s#@MODULES@#$modules#g; s#@SIP@#$base#g; s#@TLS@#$((base + 1))#g" \
      -e "s#@RTP_FIRST@#$((base + 100))#g; s#@RTP_LAST@#$((base + 899))#g" "$file" >"$run/etc/${file##*/}"
  done
  # what has no file here keeps its defaults, but a missing file is an error
  for file in acl amd ccss cdr cel features pjproject udptl; do : >"$run/etc/$file.conf"; done
  # Asterisk does not start without its XML documentation
  ln -sfn "$root/usr/share/asterisk/documentation" "$run/data/documentation"
  sounds=$(find "$root/usr/share/asterisk/sounds" -name hello-world.gsm -printf '%h' -quit 2>/dev/null || true)
  [ -n "$sounds" ] || fail "no English prompts beside $program. Run: sudo apt-get install asterisk-core-sounds-en-gsm"
  mkdir -p "$run/data/sounds"
  ln -sfn "$sounds" "$run/data/sounds/en"
  certify
  rm -f "$run"/run/* "$run/log/full"
}

certify() { # an authority of the lab's own, and the server's certificate signed by it
  local tls=$run/tls
  command -v openssl >/dev/null || fail "no openssl. Run: sudo apt-get install openssl"
  mkdir -p "$tls"
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
      -subj "/CN=dialer lab authority" -keyout "$tls/ca.key" -out "$tls/ca.pem"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
      -subj "/CN=lab.invalid" -keyout "$tls/server.key" -out "$tls/server.csr"
    openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 30 \
      -extfile <(echo "subjectAltName=DNS:localhost,DNS:lab.invalid,IP:127.0.0.1") -out "$tls/server.pem"
  } 2>"$run/log/openssl" || fail "no certificate could be made: $(tail -n 1 "$run/log/openssl")"
}

launch() { # in the place of this shell, so that the process id is Asterisk's
  echo $BASHPID >"$pidfile"
  exec "$@" "$run/asterisk" -C "$run/etc/asterisk.conf" -f -n </dev/null >"$run/log/stdout" 2>&1
}

terminate() {
  local pid
  pid=$(<"$pidfile")
  kill "$pid"
  for _ in {1..100}; do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.05
  done
  kill -KILL "$pid"
}

await_boot() {
  local left=400
  while ! asterisk -rx 'core waitfullybooted' 2>/dev/null | grep -q 'fully booted'; do
    [ ! -s "$pidfile" ] || alive || fail "Asterisk ended at once: $(tail -n 1 "$run/log/stdout")"
    [ $((left -= 1)) -gt 0 ] || { terminate; fail "Asterisk was not ready after 20 s; see $run/log"; }
    sleep 0.05
  done
  if grep -q 'Address already in use' "$run/log/full"; then
    terminate
    fail "port $(<"$run/base"), the next one or one of the RTP ports is in use; give another base port"
  fi
}

describe() {
  cat <<TEXT
Asterisk listens on 127.0.0.1:$(<"$run/base") (UDP and TCP) and 127.0.0.1:$(($(<"$run/base") + 1)) (TLS),
process $(<"$pidfile"), log $run/log/full

  the dialer's account    dialer / dialer-secret
  by SHA-256              dialer-sha256 / dialer-secret, with the caller ID dialer-sha256
  no codec in common      dialer-gsm / dialer-secret
  telephones, to register phone1 / phone-secret, phone2 / phone-secret
  TLS: its authority      $run/tls/ca.pem, for localhost, lab.invalid and 127.0.0.1

$(sed -n 's/^;; /  /p' "$run/etc/extensions.conf")

Its console:  sip/asterisk/lab.sh cli $run pjsip show endpoints
TEXT
}

case $action in
start)
  if ! running; then
    prepare
    (launch setsid) &
    await_boot
  fi
  describe
  ;;
run)
  running && fail "there is one already in $run, process $(<"$pidfile")"
  prepare
  launch setpriv --pdeathsig TERM
  ;;
await) await_boot ;;
stop)
  running || { echo "not running"; exit 0; }
  terminate
  echo "stopped"
  ;;
status)
  running || { echo "not running"; exit 3; }
  describe
  ;;
cli)
  running || fail "not running in $run"
  shift 2
  asterisk -rx "$*"
  ;;
*) fail "$usage" ;;
esac
