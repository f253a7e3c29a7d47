#!/bin/sh
# Finds the pester-gate binary on Linux and macOS; needs sh, and for a download curl or wget.
# Prints its path on stdout. In a step of an action (PESTER_GATE_LAYER is set), it sets the output `path`, and the
# binary prepares the next steps. Exit code 0: found; 2: not usable. Then the reason code comes first on stderr, in an
# annotation and in the summary, and the outputs `status` and `reason` are set.
# Nothing is run before its hash is known, except a path that the caller named.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
version=${PESTER_GATE_VERSION:-$(cat "$here/version.txt")}
manifest=${1:-$here/manifest.sha256}
cache=${RUNNER_TOOL_CACHE:-${TMPDIR:-/tmp}/pester-gate-tool-cache}
part=

tell() { [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }

refuse() { # CODE MESSAGE
  [ -z "$part" ] || rm -f "$part"
  line=$(printf '%s: %s' "$1" "$2" | tr '\r\n' '  ')
  printf '%s\n' "$line" >&2
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    printf '### pester-gate could not start\n\n    %s\n\n' "$line" >>"$GITHUB_STEP_SUMMARY"
    printf '::error title=pester-gate::%s\n' "$(printf '%s' "$line" | sed 's/%/%25/g')"
  fi
  case ${PESTER_GATE_LAYER:-} in
  route | context | preflight | selection) tell status blocked ;;
  *) tell status seam-defect ;;
  esac
  tell reason "$1"
  exit 2
}

found() { # PATH
  case $1 in
  *'
'*) refuse bootstrap-binary-missing 'the path of the binary holds a line end' ;;
  esac
  tell path "$1"
  if [ -n "${PESTER_GATE_LAYER:-}" ] && [ -n "${RUNNER_TEMP:-}${GITHUB_PATH:-}" ]; then
    code=0
    "$1" step --prepare || code=$?
    case $code in
    0) ;;
    73) exit 2 ;; # The binary has reported the reason.
    *) refuse bootstrap-binary-missing "'$1' is not a pester-gate that fits these actions" ;;
    esac
  fi
  printf '%s\n' "$1"
  exit 0
}

hash_of() { # FILE
  if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -c1-64
}

# The input of the action, else the variable of the host.
given=${PESTER_GATE_BINARY:-${PESTER_GATE_BIN:-}}
if [ -n "$given" ]; then
  name=PESTER_GATE_BIN
  [ -z "${PESTER_GATE_BINARY:-}" ] || name='the input binary'
  [ -f "$given" ] || refuse bootstrap-binary-missing "$name names '$given', which is not a file"
  [ -x "$given" ] || refuse bootstrap-binary-missing "$name names '$given', which may not be executed"
  case $given in
  /*) found "$given" ;;
  *) found "$PWD/$given" ;;
  esac
fi

case $(uname -m) in
x86_64 | amd64) arch=x86_64 ;;
aarch64 | arm64) arch=aarch64 ;;
*) refuse bootstrap-binary-missing "no binary is published for $(uname -m); set PESTER_GATE_BIN to one that you built" ;;
esac
case $(uname -s) in
Linux) target=$arch-unknown-linux-musl ;;
Darwin) target=$arch-apple-darwin ;;
*) refuse bootstrap-binary-missing "no binary is published for $(uname -s); set PESTER_GATE_BIN to one that you built" ;;
esac
asset=pester-gate-$version-$target
[ -f "$manifest" ] || refuse bootstrap-binary-missing "the manifest '$manifest' is missing; set PESTER_GATE_BIN to a pester-gate that you built"
if [ ! -s "$manifest" ]; then
  refuse bootstrap-binary-missing 'this ref is no release, so no binary belongs to it; use a release tag, or set PESTER_GATE_BIN to a pester-gate that you built'
fi
want=$(awk -v asset="$asset" 'length($1) == 64 && ($2 == asset || $2 == "*" asset) { print $1 }' "$manifest")
case $want in
*[!0-9a-f]* | '') refuse bootstrap-binary-missing "the manifest has no single entry for $asset; set PESTER_GATE_BIN to a pester-gate that you built" ;;
esac

folder=$cache/pester-gate/$version/$target
bin=$folder/pester-gate
[ ! -d "$bin" ] || refuse bootstrap-download-failed "the tool cache has a folder where the binary should be: '$bin'"
if [ -f "$bin" ]; then
  if [ -x "$bin" ] && [ "$(hash_of "$bin")" = "$want" ]; then found "$bin"; fi
  echo 'pester-gate bootstrap: the cached binary does not match the manifest and is fetched again' >&2
fi

# Where the release is, the release itself wrote down: called from another repository or copied, no variable knows it.
released=$(cat "$here/release-url.txt" 2>/dev/null) || released=
base=${PESTER_GATE_DOWNLOAD_URL:-${released:+$released/releases/download/v$version}}
[ -n "$base" ] || refuse bootstrap-binary-missing 'release-url.txt does not say where the release is; set PESTER_GATE_DOWNLOAD_URL or PESTER_GATE_BIN'
url=${base%/}/$asset
mkdir -p "$folder" || refuse bootstrap-download-failed "the tool cache '$folder' cannot be written"
part=$(mktemp "$folder/part.XXXXXX") || refuse bootstrap-download-failed "the tool cache '$folder' cannot be written"
# A 4xx is an answer; what else goes wrong is tried again.
try=1
while :; do
  if command -v curl >/dev/null 2>&1; then
    status=$(curl -sSL --max-time 120 -o "$part" -w '%{http_code}' "$url") || status=000
  elif command -v wget >/dev/null 2>&1; then
    if wget -q -T 120 -O "$part" "$url"; then status=200; elif [ $? = 8 ]; then status=400; else status=000; fi
  else
    refuse bootstrap-download-failed 'neither curl nor wget is there; install one, or set PESTER_GATE_BIN'
  fi
  case $status in
  2??) break ;;
  429) ;;
  4??) refuse bootstrap-download-failed "could not download $url (status $status)" ;;
  esac
  [ $try -lt 3 ] || refuse bootstrap-download-failed "could not download $url (status $status, $try tries)"
  sleep $((2 * try))
  try=$((try + 1))
done
got=$(hash_of "$part")
[ "$got" = "$want" ] || refuse bootstrap-hash-refused "$asset has sha256 $got, the manifest says $want"
chmod 755 "$part"
mv -f "$part" "$bin"
found "$bin"
