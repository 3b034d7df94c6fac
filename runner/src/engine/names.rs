//! Names for containers that were given none: two words, drawn by the id.

const FIRST: [&str; 32] = [
    "amber", "brisk", "calm", "clever", "dapper", "eager", "fair", "gentle", "happy", "ivory", "jolly",
    "keen", "light", "merry", "neat", "olive", "plucky", "quick", "rosy", "sandy", "sunny", "swift", "tidy",
    "upbeat", "vivid", "warm", "witty", "young", "zesty", "bold", "bright", "cosy",
];
const SECOND: [&str; 32] = [
    "badger",
    "beetle",
    "castle",
    "cricket",
    "digger",
    "dune",
    "falcon",
    "finch",
    "gull",
    "heron",
    "kite",
    "ladybird",
    "lizard",
    "marble",
    "moat",
    "newt",
    "otter",
    "pail",
    "pebble",
    "plover",
    "rake",
    "robin",
    "sandcastle",
    "shell",
    "shovel",
    "sparrow",
    "spade",
    "swing",
    "tortoise",
    "tunnel",
    "wagon",
    "wren",
];

/// A name for the container of that id (hexadecimal): as good as unique, and said aloud easily.
#[must_use]
pub fn name_of(id: &str) -> String {
    let bits = u32::from_str_radix(id.get(..8).unwrap_or("0"), 16).unwrap_or(0);
    let word = |list: &[&'static str; 32], shift: u32| list[usize::try_from(bits >> shift & 31).unwrap_or(0)];
    format!("{}_{}_{:03x}", word(&FIRST, 27), word(&SECOND, 22), bits & 0xfff)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_says_its_id() {
        assert_eq!(super::name_of("00000abc"), "amber_badger_abc");
        assert_ne!(super::name_of("10000abc"), super::name_of("80000abc"));
    }
}
