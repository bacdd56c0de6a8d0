#!/bin/sh
# A source of one's own: a small network learns seven kinds of clothes from all their
# photos, and is then reused on three others with 5, 20 and 100 photos of each, beside
# the same network trained on those few alone and beside MobileNetV2; then `graft report`
# says, over three seeds, which benefits of transfer appear. `make demo-develop` has built
# graft and put it on PATH.

set -eu
cd "$(dirname "$0")/../.."

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

# The answer may be no (1): the network trained on few photos need not beat pixels.
answer() {
  run "$@" || [ $? -eq 1 ]
}

python3 tests/demo/fashion.py .deps/fashion
out=target/demo/develop
mkdir -p $out
data=.deps/fashion
network="--architecture mobilenet --width 0.5 --size 28x28 --colour grey"
seen="--colour grey --scale 255 --mean 0.5 --std 0.5"

# shellcheck disable=SC2086
run graft develop $data/source.csv $network --epochs 6 -o $out/source.onnx --json-file $out/source.json
for few in 5 20 100; do
  # shellcheck disable=SC2086
  run graft train $data/target-$few.csv --model $out/source.onnx $seen \
    -o $out/reused-$few.graft --json-file $out/reused-$few.json
  # As many steps as make sense of so few photos: 40 times each.
  # shellcheck disable=SC2086
  answer graft develop $data/target-$few.csv $network --epochs 40 --batch-size 16 \
    -o $out/scratch-$few.onnx --json-file $out/scratch-$few.json
  run graft train $data/target-$few.csv --model mobilenet_v2 \
    -o $out/mobilenet-$few.graft --json-file $out/mobilenet-$few.json
done

printf '\n%-10s %10s %10s %12s %8s\n' "photos" "reused" "scratch" "MobileNetV2" "pixels"
accuracy() { python3 -c 'import json,sys; print("%.1f %%" % (100 * json.load(open(sys.argv[1]))[sys.argv[2]]))' "$1" "$2"; }
for few in 5 20 100; do
  printf '%-10s %10s %10s %12s %8s\n' "$few a class" "$(accuracy $out/reused-$few.json accuracy)" \
    "$(accuracy $out/scratch-$few.json accuracy)" "$(accuracy $out/mobilenet-$few.json accuracy)" \
    "$(accuracy $out/scratch-$few.json pixels_accuracy)"
done
# shellcheck disable=SC2086
run graft report $data/target-100.csv --model $out/source.onnx $seen \
  --fine-tune all --epochs 12 \
  --architecture mobilenet --scratch-width 0.5 --scratch-size 28 --scratch-epochs 40 \
  -o $out/report.html --json-file $out/report.json

printf '\nleft in %s: the page, the networks, the bundles, and what each command said as JSON\n' "$out"
