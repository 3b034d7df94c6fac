#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link del to-box 2>/dev/null
set -e
box=$(pgrep --parent "$(pgrep --newest -x unshare)")
ip link add to-box type veth peer name eth0 netns "$box"
ip address add 10.1.0.1/24 dev to-box
ip link set to-box up
nsenter --target "$box" --net ip address add 10.1.0.2/24 dev eth0
nsenter --target "$box" --net ip link set eth0 up
