# Shared by build, test and demo: install what is missing, then build. Sourced, never run by itself.
# Nothing here touches the network when every package is there.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

fail() {
  echo "error: $*" >&2
  exit 2
}

missing_packages() {
  local wanted
  wanted=$(grep -vE '^(#|$)' "$top/scripts/packages.txt")
  # shellcheck disable=SC2086  # one word a package
  comm -23 <(sort <<<"$wanted") \
    <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | awk '$2 == "installed" {print $1}' | sort -u)
}

# strongswan-charon brings strongswan-starter, which Debian starts at once and at every boot: a second IKE daemon on UDP 500
# and 4500. The lab starts its own charon; this one is masked unless somebody had it before us.
keep_charon_quiet() {
  [ -d /run/systemd/system ] || return 0
  [[ " $missing " == *[[:space:]]strongswan-charon[[:space:]]* ]] || return 0
  dpkg-query -W strongswan-starter >/dev/null 2>&1 && return 0
  systemctl mask strongswan-starter.service >/dev/null 2>&1 || return 0
  echo "strongswan-starter.service is masked: the gateway's ports 500 and 4500 stay free (systemctl unmask undoes it)"
}

install_packages() {
  local missing log="$top/build/apt.log"
  missing=$(missing_packages)
  [ -z "$missing" ] && return 0
  [ "$(id -u)" = 0 ] || fail "these packages are missing and only root can install them:" $missing
  echo "installing:" $missing
  mkdir -p "$top/build"
  keep_charon_quiet
  # shellcheck disable=SC2086
  if ! { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get failed; the whole output is in $log"
  fi
}

patience=()  # (nice ...) when a build is to leave the processors to what runs beside it

# build PRESET [TARGET...]: configures once, then only what changed.
build() {
  local preset=$1 log
  shift
  log="$top/build/configure-$preset.log"
  mkdir -p "$top/build"
  (cd "$top" && cmake --preset "$preset" >"$log" 2>&1) || { cat "$log" >&2; fail "cmake could not configure '$preset'"; }
  local folder="$top/build"
  [ "$preset" = release ] || folder="$top/build/$preset"
  "${patience[@]}" ninja -C "$folder" --quiet "$@" || fail "the build of '$preset' failed"
}
