#!/usr/bin/env bash
# The golden texts through the real nft, in a network namespace of its own: the closed table, from closed to open in one
# transaction, an exchange that ends and begins again, back to closed; and the listing of the kernel shows no difference.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/../golden
program=${BUILD_DIR:-$here/../../build}/bin/test_firewall
[ "$(id -u)" = 0 ] || { echo "must be root: namespaces and nftables"; exit 1; }
space=pol-nft-$$
work=$(mktemp -d)
trap 'ip netns del "$space" 2>/dev/null || true; rm -rf "$work"' EXIT
ip netns add "$space"

nft_in() { ip netns exec "$space" nft "$@"; }
holds_sample() {
  nft_in -j list table inet sekisho >"$work/listing.json"
  SEKISHO_LISTING=$work/listing.json "$program" "[.live]" >"$work/log" || { cat "$work/log"; return 1; }
}
step() { echo "$1"; shift; "$@"; }

step "closed table" nft_in -f "$golden/closed.nft"
step "closed: the sample is not what the kernel holds" bash -c "! grep -q service4 <(ip netns exec $space nft list table inet sekisho)"
step "closed -> open" nft_in -f "$golden/open.nft"
step "the kernel holds the sample" holds_sample
step "the exchange ends" nft_in -f "$golden/exchange_ends.nft"
if holds_sample >/dev/null; then echo "the end of the exchange is not seen in the listing"; exit 1; fi
step "the exchange begins" nft_in -f "$golden/exchange_begins.nft"
step "the kernel holds the sample again" holds_sample
step "everything anew, in one transaction" nft_in -f "$golden/rebuild.nft"
step "the kernel holds the sample still" holds_sample
step "open -> closed" nft_in -f "$golden/close.nft"
step "closed, before any plan" nft_in -f "$golden/closed_without_a_plan.nft"
nft_in delete table inet sekisho
step "whole file" nft_in -f "$golden/sample.nft"
step "the kernel holds the sample" holds_sample

nft_in delete table inet sekisho
SEKISHO_TEXT=$work/many.nft "$program" "[.many-text]" >"$work/log" || { cat "$work/log"; exit 1; }
step "two thousand facilities" nft_in -f "$work/many.nft"
nft_in -j list table inet sekisho >"$work/many.json"
SEKISHO_LISTING=$work/many.json "$program" "[.many]" >"$work/log" || { cat "$work/log"; exit 1; }
echo "the kernel holds them all"
