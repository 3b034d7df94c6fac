named=$(grep '^[1-9][0-9]*:' /proc/self/cgroup | grep -vc ':name=')
two=$(grep -c '^0::' /proc/self/cgroup)
if [ "$named" -gt 0 ] && [ "$two" -gt 0 ]; then right=mixed; elif [ "$named" -gt 0 ]; then right=1; else right=2; fi
[ -f "$HOME/version" ] || { echo "There is no file ~/version yet: write 1, 2 or mixed into it."; exit 1; }
said=$(tr -d ' \n' < "$HOME/version")
case $said in
    "$right") echo "Yes: $right. $named controllers are in version 1." ;;
    1|2|mixed)
        echo "~/version says $said. But of version 1 there are $named controllers in /proc/self/cgroup, of version 2 there are $two lines."
        exit 1 ;;
    *) echo "~/version should hold 1, 2 or mixed. It holds: $(head -c 60 "$HOME/version")"; exit 1 ;;
esac
