[ -s "$HOME/word" ] || { echo "There is nothing in ~/word yet."; exit 1; }
said=$(tr -d ' \n' < "$HOME/word")
[ "$said" = "$LAB_WORD" ] || { echo "~/word holds $(head -c 40 "$HOME/word"). That is not the word in the guest's /mnt."; exit 1; }
echo "$said it is. You walked into somebody else's namespaces and back."
