#!/bin/sh
# Fills the corpus of both fuzz targets with the golden rows, so that a short run starts deep instead of at "[".
set -eu
cd "$(dirname "$0")"
fixtures=../tests/fixtures
mkdir -p corpus/ws_frame corpus/rest_body

sed -n 's/^{"name":"\([a-z0-9_]*\)","frame":\(.*\)}$/\1 \2/p' "$fixtures/ws_frames.ndjson" |
    while read -r name frame; do
        printf '%s' "$frame" >"corpus/ws_frame/$name"
    done

# rest_body takes two bytes of status (little endian: 200, 400), then the body.
sed -n 's/^{"name":"\([a-z0-9_]*\)","status":[0-9]*,"body":\(.*\)}$/\1 \2/p' "$fixtures/rest_answers.ndjson" |
    while read -r name body; do
        printf '\310\000%s' "$body" >"corpus/rest_body/$name"
        printf '\220\001%s' "$body" >"corpus/rest_body/${name}_400"
    done
