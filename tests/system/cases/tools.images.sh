#!/bin/bash
# ImageMagick and ffmpeg as handlers of a real unit: a thumbnail and a video, and each way in which they end.
# shellcheck disable=SC2016 # scripts of handlers expand by themselves
source "$(dirname "$0")/../tools/lib.sh"
convert=/usr/bin/convert identify=/usr/bin/identify
tools_pool tools-images

script thumbnail <<BASH
name=\$(jq --raw-output .name)
$convert -size 1200x900 plasma:fractal -font DejaVu-Sans -pointsize 90 -fill white -annotate +50+200 "\$name" original.jpg
$convert original.jpg -resize 200x200 thumbnail.png
BASH
script thumbnail_of_nothing <<<"$convert nothing.jpg thumbnail.png"
script blur <<BASH
$began
began 'convert.*'
$convert -limit thread 1 -size 4000x4000 plasma: -blur 0x300 blurred.png
BASH
stdout=log script pixels <<<"$convert -size 2400x1000 gradient: txt:-" # a line for each
script pixels_as_result <<<"$convert -size 6000x6000 gradient: -depth 8 rgb:-"

script video <<<'ffmpeg -hide_banner -f lavfi -i testsrc=duration=3:size=640x480:rate=25 -f lavfi -i sine=duration=3 -y video.mp4'
script video_of_nothing <<<'ffmpeg -hide_banner -i nothing.mp4 -y other.mp4'
script long_video <<BASH
$began
began ffmpeg
ffmpeg -hide_banner -re -f lavfi -i testsrc=duration=600:size=320x240:rate=25 -y long.mp4 </dev/null
BASH
stdout=log script frames <<<'ffmpeg -hide_banner -f lavfi -i testsrc=size=1920x1080:duration=60 -frames:v 13 -f rawvideo - | base64 >&2'
script progress <<<'ffmpeg -hide_banner -f lavfi -i testsrc=duration=2:size=1280x720:rate=25 -y progress.mp4'
begin_pool

if available $convert; then
    works thumbnail '{"name": "Zürich"}'
    equal "the thumbnail" "$($identify -format '%m %wx%h' $here/thumbnail.png)" "PNG 200x150"
    fails thumbnail_of_nothing 'nothing.jpg'
    ends_on_demand blur 'convert.*'
    floods pixels
    fails pixels_as_result 'stdout = "log"' result_too_large
fi
if available ffmpeg; then
    works video
    equal "the video" "$(ffprobe -v error -show_entries stream=codec_type,nb_frames -of csv=p=0 $here/video.mp4 | sort | tr '\n' ' ')" "audio,131 video,75 "
    fails video_of_nothing 'nothing.mp4: No such file or directory'
    ends_on_demand long_video ffmpeg
    floods frames
    works progress
    holds "progress bars leave few lines: $(sql "SELECT count(*) FROM dormouse.logs WHERE run_id = '$run'")" [ "$(sql "SELECT count(*) FROM dormouse.logs WHERE run_id = '$run'")" -lt 100 ]
fi
