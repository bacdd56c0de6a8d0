#!/bin/bash
# The demo: a pretrained network learns to find defective solar cells, becomes a
# bundle, and gives the same answers in the device's engine as in ONNX Runtime.
# `make demo` has built graft, put it on PATH, and fetched the photos.

set -euo pipefail
cd "$(dirname "$0")/../.."

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

mkdir -p target/demo
photos=.deps/elpv
bundle=target/demo/solar.graft

run graft doctor

run graft train $photos/split-0.csv --model mobilenet_v2 --name solar --output $bundle \
  --json-file target/demo/train.json --data-licence CC-BY-NC-SA-4.0

run graft compare $bundle $photos/split-0.csv --split test --json-file target/demo/compare.json

# Four cells that training never saw: two that experts called defective, two functional.
run graft predict $bundle $photos/images/cell0001.png $photos/images/cell0008.png \
  $photos/images/cell0060.png $photos/images/cell0061.png

printf '\nleft in target/demo: solar.graft, train.json, compare.json\n'
