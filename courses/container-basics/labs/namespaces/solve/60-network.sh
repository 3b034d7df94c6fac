#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
# What was begun already goes first.
ip netns del room 2>/dev/null
ip link del outside 2>/dev/null
set -e
ip netns add room
ip link add outside type veth peer name inside netns room
ip address add 10.0.0.1/24 dev outside
ip link set outside up
ip netns exec room ip address add 10.0.0.2/24 dev inside
ip netns exec room ip link set inside up
