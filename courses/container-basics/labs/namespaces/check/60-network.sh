[ -e /run/netns/room ] || { echo "There is no network namespace called room: ip netns add room"; exit 1; }
inside() { nsenter --net=/run/netns/room ip "$@"; }
[ -n "$(inside -o link | grep veth || inside -o link | grep '@')" ] || { echo "The room has no cable: no veth device in it."; exit 1; }
ip -o addr | grep -q ' 10\.0\.0\.1/' || { echo "On this side nobody has the address 10.0.0.1."; exit 1; }
inside -o addr | grep -q ' 10\.0\.0\.2/' || { echo "In the room nobody has the address 10.0.0.2."; exit 1; }
ip -o link | grep '^[0-9]*: outside' | grep -q 'LOWER_UP' || { echo "The cable carries nothing yet: are both ends up?"; exit 1; }
ping -c 1 -W 2 10.0.0.2 >/dev/null || { echo "10.0.0.2 does not answer."; exit 1; }
echo "10.0.0.2, in the room, answers."
