//! What must be passed before what: names that are there, and no circle.

use std::collections::{HashMap, HashSet};

/// What is wrong with named things that come after others: the line of the thing, and words.
#[must_use]
pub fn faults(kind: &str, things: &[(&str, u64, &[String])]) -> Vec<(u64, String)> {
    let mut faults = Vec::new();
    let mut seen = HashMap::new();
    for (n, (name, line, _)) in things.iter().enumerate() {
        if seen.insert(*name, n).is_some() {
            faults.push((*line, format!("there are two {kind}s called {name:?}: give one another `name`")));
        }
    }
    for (name, line, after) in things {
        for other in after.iter().filter(|other| !seen.contains_key(other.as_str())) {
            faults.push((
                *line,
                format!("{kind} {name:?} comes after {other:?}, and there is none of that name"),
            ));
        }
    }
    // Those that can be passed are taken away until nothing changes; what is left waits for itself.
    let mut open: HashSet<&str> = things.iter().map(|(name, ..)| *name).collect();
    loop {
        let free: Vec<&str> = things
            .iter()
            .filter(|(name, _, after)| {
                open.contains(name) && !after.iter().any(|a| open.contains(a.as_str()))
            })
            .map(|(name, ..)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|name| {
            open.remove(name);
        });
    }
    for (name, line, after) in things.iter().filter(|(name, ..)| open.contains(name)) {
        let circle = after.iter().find(|a| open.contains(a.as_str())).map_or("itself", String::as_str);
        faults.push((*line, format!("{kind} {name:?} waits for {circle:?}, which waits for it in turn")));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_strangers_and_namesakes_are_told() {
        let (a, b, none) = (["b".to_owned()], ["a".to_owned()], Vec::new());
        assert_eq!(faults("step", &[("a", 1, &none), ("b", 2, &b)]), []);
        let circle = faults("step", &[("a", 1, &a), ("b", 2, &b), ("c", 3, &none)]);
        assert_eq!(circle.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
        assert!(faults("step", &[("c", 4, &a)])[0].1.contains("none of that name"));
        assert!(faults("step", &[("c", 4, &none), ("c", 5, &none)])[0].1.contains("two steps"));
    }
}
