#!/bin/bash
# Which source, and how much of it: four pretrained networks on the solar cells,
# ranked, and each probed at every depth. `make demo-sources` has built graft, put
# it on PATH, and fetched the photos. A quarter of an hour at most on two free
# cores.

set -euo pipefail
cd "$(dirname "$0")/../.."

# Shows a command as a person would type it, then runs it.
run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

mkdir -p target/demo
data=.deps/elpv/split-0.csv
models=(mobilenet_v2 efficientnet_lite0 resnet50_nsfw vgg16_mri)

# Their licences let them be fetched, not passed on.
for model in resnet50_nsfw vgg16_mri; do
  run graft models fetch "$model"
done

run graft rank $data --models "$(IFS=,; echo "${models[*]}")" --json-file target/demo/rank.json

run graft cuts $data --model mobilenet_v2 --json-file target/demo/cuts.json
for model in efficientnet_lite0 resnet50_nsfw vgg16_mri; do
  run graft cuts $data --model "$model" --examples 600 --json-file "target/demo/cuts-$model.json"
done

printf '\nleft in target/demo: rank.json, cuts.json (MobileNetV2), cuts-*.json (the others)\n'
