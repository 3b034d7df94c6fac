#!/bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin
nsenter --target "$(pgrep guest)" --mount cat /mnt/word > /root/word
