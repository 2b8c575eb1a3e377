#!/bin/sh
# Installs Cairn for the current user from the organisation's own server.
set -eu

server='@SERVER@'
bin="${CAIRN_BIN:-$HOME/.local/bin}"

fail() {
    echo "cairn: $1" >&2
    exit 1
}

[ "$(uname -s)" = Linux ] || fail "this server has programs for Linux only"
[ "$(uname -m)" = x86_64 ] || fail "this server has programs for x86_64 only"
command -v curl >/dev/null || fail "curl is needed"
command -v sha256sum >/dev/null || fail "sha256sum is needed"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fetch() {
    curl -fsS --retry 2 -o "$work/$1" "$server/dist/$1" || fail "$1 could not be fetched from $server"
    echo "$2  $work/$1" | sha256sum -c --quiet - >/dev/null 2>&1 ||
        fail "$1 is not the program this script was made for; run the installer again"
    chmod 755 "$work/$1"
}

# Both are checked before either is installed.
fetch cairn @CAIRN_SHA256@
fetch cairn-hook @CAIRN_HOOK_SHA256@

mkdir -p "$bin"
for program in cairn cairn-hook; do
    mv "$work/$program" "$bin/.$program.new"
    mv "$bin/.$program.new" "$bin/$program"
done

echo "Installed cairn and cairn-hook in $bin"
case ":$PATH:" in
*":$bin:"*) ;;
*) echo "Add it to your path:  export PATH=\"$bin:\$PATH\"" ;;
esac
echo "Next:  cairn enroll --server $server"
